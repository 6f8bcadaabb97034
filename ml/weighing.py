"""Chooses the weights of a blend by what was held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml.blend import average, blend, candidates, choose_weights, scaled
from ml.metrics import hits, ndcg_of_hits
from ml.ranking import blocks
from ml.scorers import Scorer

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Weighed:
    """The weights of a blend by the names of its parts, and the NDCG (n_users,) that it reached."""

    weights: dict[str, float]
    ndcg: NDArray[np.float64]


def weigh(
    parts: Mapping[str, Scorer],
    histories: sp.csr_matrix,
    held_out: sp.csr_matrix,
    k: int,
    rng: np.random.Generator,
    samples: int = 1,
) -> Weighed:
    """The weights of `parts` with the best NDCG@k on what was held out of `histories`, (n_users, n_items) each.

    With more than one of the `samples`, each has as many users drawn with replacement, and the weights that do best in
    each are averaged: few users leave several weights nearly as good, of which the average is steadier than the best
    (Breiman, "Bagging predictors", Machine Learning 24, 1996). Only what any part puts forward is looked at, so that
    trying a weight costs little. ValueError where nothing was held out, and for no samples.
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1, not {samples}.")
    counts = np.asarray(held_out.count_nonzero(axis=1))
    judges = np.flatnonzero(counts)
    if not len(judges):
        raise ValueError("Nothing was held out to choose weights by.")
    found = [_put_forward(parts, histories[users], held_out[users], 5 * k) for users in blocks(*histories.shape)]
    kept = {name: np.concatenate([scores[name] for scores, _ in found]) for name in parts}
    relevant = np.concatenate([labelled for _, labelled in found])
    judged: dict[tuple[float, ...], NDArray[np.float64]] = {}

    def judge(weights: Mapping[str, float]) -> NDArray[np.float64]:
        asked = tuple(weights.get(name, 0.0) for name in parts)
        if asked not in judged:
            best = _first(blend(list(kept.values()), asked), k)
            judged[asked] = ndcg_of_hits(np.take_along_axis(relevant, best, axis=1), counts)
        return judged[asked]

    def best_for(times: NDArray[np.integer]) -> dict[str, float]:
        return choose_weights(list(parts), lambda weights: float(np.average(judge(weights)[judges], weights=times)))

    n = len(judges)
    if samples == 1:
        weights = best_for(np.ones(n, dtype=int))
    else:
        weights = average([best_for(times) for times in rng.multinomial(n, np.full(n, 1 / n), samples)])
    return Weighed(weights, judge(weights))


def _first(scores: Floats, k: int) -> NDArray[np.intp]:
    """Where the `k` largest of each row (n_users, n_candidates) are, or all where there are fewer: largest first."""
    k = min(k, scores.shape[1])
    largest = np.argpartition(-scores, k - 1, axis=1)[:, :k] if k else np.zeros((len(scores), 0), dtype=np.intp)
    order = np.argsort(-np.take_along_axis(scores, largest, axis=1), axis=1, kind="stable")
    return np.take_along_axis(largest, order, axis=1)


def _put_forward(
    parts: Mapping[str, Scorer], histories: sp.csr_matrix, held_out: sp.csr_matrix, k: int
) -> tuple[dict[str, Floats], NDArray[np.bool_]]:
    """The scores by part, and which are relevant, of the items that any part puts forward: (n_users, n_candidates)."""
    scored = {name: scaled(part.score(histories)) for name, part in parts.items()}
    items = candidates(scored, histories, k)
    found = {name: np.take_along_axis(block, items, axis=1) for name, block in scored.items()}
    return {name: np.where(items < 0, -np.inf, scores) for name, scores in found.items()}, hits(items, held_out)
