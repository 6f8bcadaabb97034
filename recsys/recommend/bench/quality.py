"""Bench `quality`: how well the models of `ml/` recommend, on a split of real data that it is given.

Everything is trained, and what is chosen is chosen by validation, on the training part alone. Of the test part only
its size is looked at, as validation holds out as large a share, and which users and items it names, as all are in the
matrices. The fixed knobs are the same for all data.

Measured as the LightGCN evaluator does: all items are ranked, those of the training are left out, recall@20 is hits
over |test|, and NDCG's ideal list is as long as min(20, |test|). Sessions are asked for each next item of each test
session.

No service is needed: it runs in this process. For one thread, set OMP_NUM_THREADS and OPENBLAS_NUM_THREADS to 1.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from django.core.management.base import CommandError
from numpy.typing import NDArray

from ml import sessions
from ml.formats import (
    Events,
    MovieLens,
    guess_format,
    read_checkins,
    read_follows,
    read_lightgcn,
    read_movielens,
    read_sessions,
)
from ml.interactions import from_arrays
from ml.list_metrics import catalogue_coverage
from ml.metrics import Summary, compare, hit_rate, ndcg, recall, reciprocal_rank, summarise
from ml.recipe import RecipeConfig, Trained, train
from ml.session_data import SessionEvents, concatenate
from ml.session_data import from_arrays as session_events
from ml.session_evaluation import evaluate_next_item
from ml.splits import hold_out_last, hold_out_random, places_from_last
from recsys.bench.memory import peak_mb
from recsys.bench.result import BenchOptions, BenchResult
from recsys.recommend.bench.cold import measure_cold

SERVICES = False
K = 20
LIKED = 4.0  # stars from which on a rating says that somebody liked a film
LATEST = 0.2  # of each user's ratings are the test
SEED = 0

Figures = dict[str, float]
_METRICS: dict[str, Callable[[NDArray[np.integer], sp.csr_matrix], NDArray[np.float64]]] = {
    "recall": recall,
    "ndcg": ndcg,
    "hr": hit_rate,
    "mrr": reciprocal_rank,
}


def run(options: BenchOptions) -> BenchResult:
    if options.path is None:
        raise CommandError("Name the folder of the data: manage.py bench quality PATH [--format lightgcn].")
    try:
        return _BY_FORMAT[options.format or guess_format(options.path)](options.path, options)
    except ValueError as error:  # a FormatError, or too little to train with
        raise CommandError(f"{options.path}: {error}") from error


def _run_lightgcn(folder: Path, options: BenchOptions) -> BenchResult:
    known, later = read_lightgcn(folder)
    return _measure_matrices(*_matrices(known, later), None, options, {})


def _run_movielens(folder: Path, options: BenchOptions) -> BenchResult:
    data = read_movielens(folder)
    liked = data.ratings.where(data.ratings.weights >= LIKED)
    options.say(f"{len(liked):,} of {len(data.ratings):,} ratings liked")
    return _run_dated(liked, options, _cold(data, options))


def _run_checkins(folder: Path, options: BenchOptions) -> BenchResult:
    return _run_dated(_first_times(read_checkins(folder).events), options, {})


def _first_times(events: Events) -> Events:
    """The first event of each user with each item: whether somebody comes again is another question."""
    order = np.lexsort((events.times, events.items, events.users))
    _, first = np.unique(np.stack([events.users[order], events.items[order]]), axis=1, return_index=True)
    chosen = np.zeros(len(events), dtype=bool)
    chosen[order[first]] = True
    return events.where(chosen)


def _run_follows(folder: Path, options: BenchOptions) -> BenchResult:
    """A random share of those whom each follows is the test, as nothing says when they began to."""
    follows = read_follows(folder)
    held = hold_out_random(follows.users, LATEST, np.random.default_rng(SEED))
    return _measure_matrices(*_matrices(follows.where(~held), follows.where(held)), None, options, {})


def _run_dated(events: Events, options: BenchOptions, details: dict[str, Any]) -> BenchResult:
    """The latest share of each user's events is the test."""
    latest = hold_out_last(events.users, events.times, share=LATEST)
    options.say(f"the last {latest.sum():,} of {len(events):,} events of their users tested")
    known, later = events.where(~latest), events.where(latest)
    matrices = _matrices(known, later)
    users, items = np.union1d(known.users, later.users), np.union1d(known.items, later.items)
    # Their places in the history, as seconds since 1970 are more than single precision can tell apart.
    places = places_from_last(known.users, known.times)
    times = from_arrays(known.users, known.items, places.max() + 1 - places, user_ids=users, item_ids=items).matrix
    return _measure_matrices(*matrices, times, options, details)


def _cold(data: MovieLens, options: BenchOptions) -> dict[str, Any]:
    options.say("items that nobody knew before, by what is written about them")
    return measure_cold(data, LIKED, SEED)


def _matrices(known: Events, later: Events) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """(n_users, n_items) each, ones; later without what was known."""
    if not len(known) or not len(later):
        raise CommandError("There must be something to train with, and something to test by.")
    users = np.union1d(known.users, later.users)
    items = np.union1d(known.items, later.items)
    first, second = (
        from_arrays(part.users, part.items, np.ones(len(part)), user_ids=users, item_ids=items).matrix
        for part in (known, later)
    )
    second = sp.csr_matrix(second - second.multiply(first != 0))
    second.eliminate_zeros()
    if not second.nnz:
        raise CommandError("Whatever is in the test part is in the training part too.")
    return first, second


def _measure_matrices(
    known: sp.csr_matrix,
    later: sp.csr_matrix,
    times: sp.csr_matrix | None,
    options: BenchOptions,
    details: dict[str, Any],
) -> BenchResult:
    cpu = time.process_time()
    share = float(np.clip(later.nnz / (known.nnz + later.nnz), 0.05, 0.5))
    trained = train(known, RecipeConfig(share=share), SEED, options.say, times)
    trained_cpu = time.process_time() - cpu
    judged = np.flatnonzero(np.diff(later.indptr))
    found = trained.recommend(known[judged], None if times is None else times[judged], K)
    models = {name: _figures(ranked, later[judged], known.shape[1]) for name, ranked in found.items()}
    cpu = time.process_time() - cpu
    best = "ranker" if trained.ranker else "blend"
    by_user = {name: ndcg(ranked, later[judged]) for name, ranked in found.items()}
    details = (
        {
            "models": models,
            "served": best,
            "ndcg_gain_at_least": {name: _gains(name, by_user) for name in ("blend", "ranker") if name in by_user},
            "weights": trained.weights,
            "chosen": _chosen(trained),
            "users": len(judged),
            "items": known.shape[1],
            "interactions": int(known.nnz),
            "train_cpu_s": trained_cpu,
            "model_cpu_s": trained.seconds,
            "cpu_s": cpu,
            "peak_mb": peak_mb(),
        }
        | ({} if trained.ranker else {"why_no_ranker": trained.why_no_ranker})
        | details
    )
    options.say(table(models, trained.seconds))
    return BenchResult(models[best]["ndcg@20"], "NDCG@20", details=details | {"runs": 1})


def _gains(name: str, by_user: dict[str, NDArray[np.float64]]) -> dict[str, float]:
    """By how much one model's NDCG is above that of each other at least, with 95% confidence."""
    lows = {other: compare(by_user[name], values).interval.low for other, values in by_user.items() if other != name}
    return {other: float(low) for other, low in lows.items() if np.isfinite(low)}


def _chosen(trained: Trained) -> dict[str, Any]:
    choices = asdict(trained.models.choices)
    return {name: choice for name, choice in choices.items() if choice} | {"half_life": trained.half_life}


def _figures(ranked: NDArray[np.int64], later: sp.csr_matrix, n_items: int) -> Figures:
    """Each metric, with the half of its 95% interval as `±…`."""
    figures: Figures = {}
    for name, metric in _METRICS.items():
        summary = summarise(metric(ranked, later))
        figures |= {f"{name}@{K}": summary.mean, f"±{name}@{K}": _margin(summary)}
    return figures | {f"coverage@{K}": catalogue_coverage(ranked, n_items)}


def _margin(summary: Summary) -> float:
    """Half of the 95% interval; 0 for one user, of whom nothing follows."""
    return summary.interval().high - summary.mean if summary.users > 1 else 0.0


def table(models: Mapping[str, Figures], seconds: Mapping[str, float]) -> str:
    """The models one below the other, for people."""
    shown = [name for name in next(iter(models.values())) if not name.startswith("±")]
    lines = ["".join([f"{'':14}", *(f"{name:>18}" for name in shown), f"{'CPU s':>10}"])]
    for model, figures in models.items():
        cells = []
        for name in shown:
            margin = figures.get(f"±{name}")
            cells.append(f"{figures[name]:.4f}" + (f" ±{margin:.4f}" if margin is not None else ""))
        cost = f"{seconds[model]:.1f}" if model in seconds else ""
        lines.append("".join([f"{model:14}", *(f"{cell:>18}" for cell in cells), f"{cost:>10}"]))
    return "\n".join(lines)


def _run_sessions(folder: Path, options: BenchOptions) -> BenchResult:
    train_part, valid, test = (None if part is None else _session_events(part) for part in read_sessions(folder))
    assert train_part is not None
    assert test is not None
    cpu = time.process_time()
    config = sessions.SessionConfig()
    weights = sessions.tune(train_part, valid, config)
    options.say("weights learned")
    everything = train_part if valid is None else concatenate(train_part, valid)
    model = sessions.fit(everything, config, weights)
    trained_cpu = time.process_time() - cpu
    asked = evaluate_next_item(model, test, K)
    if not len(asked.ranks):
        raise CommandError("No test session has a second event, so there is nothing to ask for.")
    untuned = evaluate_next_item(sessions.fit(everything, config), test, K)
    baseline = evaluate_next_item(Popular(everything), test, K)
    figures = {
        "session": _next_item(asked.hits, asked.reciprocal_ranks),
        "session, weights not learned": _next_item(untuned.hits, untuned.reciprocal_ranks),
        "popularity": _next_item(baseline.hits, baseline.reciprocal_ranks),
    }
    options.say(table(figures, {"session": trained_cpu}))
    times = asked.cpu_seconds * 1000
    details = {
        "models": figures,
        "queries": len(asked.ranks),
        "train_cpu_s": trained_cpu,
        "peak_mb": peak_mb(),
        **{f"p{part}_ms": float(np.percentile(times, part)) for part in (50, 90, 99)},
        "runs": 1,
    }
    return BenchResult(figures["session"]["mrr@20"], "MRR@20", details=details)


def _session_events(events: Events) -> SessionEvents:
    return session_events(events.users, events.items, events.times)


def _next_item(hits: NDArray[np.float64], reciprocal_ranks: NDArray[np.float64]) -> Figures:
    found: Figures = {}
    for name, values in (("hr", hits), ("mrr", reciprocal_ranks)):
        summary = summarise(values)
        found |= {f"{name}@{K}": summary.mean, f"±{name}@{K}": _margin(summary)}
    return found


class Popular:
    """Recommends what came most often, whatever the session."""

    def __init__(self, events: SessionEvents) -> None:
        self.items, counts = np.unique(events.items, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        self.items, self.counts = self.items[order], counts[order].astype(np.float64)

    def recommend(self, session_items: NDArray[np.int64], k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return self.items[:k], self.counts[:k]


_BY_FORMAT: dict[str, Callable[[Path, BenchOptions], BenchResult]] = {
    "checkins": _run_checkins,
    "follows": _run_follows,
    "lightgcn": _run_lightgcn,
    "movielens": _run_movielens,
    "sessions": _run_sessions,
}
