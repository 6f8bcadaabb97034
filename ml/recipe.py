"""The whole of it for one matrix: train each model, blend them, learn to rank, each chosen by what was held out.

Where times are known, what was held out is the latest of each user, and each model takes part a second time, with the
recent items of a history counting for more (`…_recent`): what somebody takes up next follows from these more often.

    held out a tenth ─▶ models without it ─▶ weights of the blend ─▶ candidates ─▶ ranker, if it wins
                        models with all of it, the same weights, the same ranker

Few things are chosen, and each by its NDCG on held-out interactions: a small hold-out does not mirror every test.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml import als, ease, item_graph, popularity, ranker
from ml.als import AlsConfig, AlsFactors, AlsScorer
from ml.blend import BlendScorer, blend, candidates, choose_weights, scaled
from ml.decay import recency_weights
from ml.ease import EaseConfig
from ml.item_graph import ItemGraphConfig
from ml.linear import Unweighted
from ml.metrics import compare, ndcg
from ml.ranker import NothingToLearn, Ranker, RankerConfig, RankerUnavailable, reordered
from ml.ranker_features import Candidates, Featurizer, labels
from ml.ranking import best_of, top_scored
from ml.scorers import Scorer
from ml.splits import hold_out_last, hold_out_random, places_from_last

Floats = NDArray[np.float32]
Say = Callable[[str], None]

K = 20
BATCH = 512  # users scored at once: blocks of scores are what takes memory


@dataclass(frozen=True)
class RecipeConfig:
    """`als` where there are many interactions, `small_als` below `many` of them. EASE takes part up to `ease_items`.

    `share` of each user's interactions are held out; `weighing` users judge the blend's weights, `ranking` users at
    most teach the ranker, a fifth of whom judge it. An item of a history counts half as much as the one `half_life`
    places after it, for the parts that look at what is recent. `again` epochs lead ALS from the factors of the
    hold-out to those of all. The ranker has its own config; `depth` candidates are its to order.
    """

    graph: ItemGraphConfig = field(default_factory=ItemGraphConfig)
    als: AlsConfig = field(
        default_factory=lambda: AlsConfig(512, unobserved=15.0, regularisation=0.002, epochs=8, cg_steps=3)
    )
    small_als: AlsConfig = field(default_factory=lambda: AlsConfig(64, unobserved=10.0, regularisation=0.01))
    many: int = 300_000
    ease_items: int = 10_000
    ease_regularisations: tuple[float, ...] = (50.0, 200.0, 800.0)
    share: float = 0.1
    weighing: int = 4000
    ranking: int = 27_000
    half_life: float = 10.0
    again: int = 1
    depth: int = 100
    ranker: RankerConfig = field(default_factory=RankerConfig)


@dataclass(frozen=True)
class Models:
    """`parts` by name, the `factors` and `graph` among them, and how often each item was taken up. `ease` is the
    config of EASE where that takes part; `dated` says whether times are known."""

    parts: dict[str, Scorer]
    factors: Floats
    graph: sp.csr_matrix
    counts: Floats
    als: AlsConfig
    ease: EaseConfig | None = None
    dated: bool = False


@dataclass(frozen=True)
class Trained:
    """What a recipe made: the models, the blend's `weights`, and the ranker of `depth` candidates, or `why_no_ranker`.
    `seconds` of CPU that each took, with what chose it."""

    models: Models
    weights: dict[str, float]
    ranker: Ranker | None
    why_no_ranker: str
    depth: int
    seconds: dict[str, float]

    @property
    def blend(self) -> BlendScorer:
        return BlendScorer(self.models.parts, self.weights)

    def recommend(self, histories: sp.csr_matrix, k: int = K) -> dict[str, NDArray[np.int64]]:
        """The best `k` unseen items (n_users, k) by each part, by the blend, and by the ranker where there is one."""
        making = featurizer(self.models, self.weights, max(k, self.depth))
        found: dict[str, list[NDArray[np.int64]]] = defaultdict(list)
        for start in range(0, histories.shape[0], BATCH):
            mine = histories[start : start + BATCH]
            scores = {name: scaled(part.score(mine)) for name, part in self.models.parts.items()}
            for name, scored in scores.items():
                found[name].append(best_of(scored, mine, k))
            blended = making.candidates_of(scores, mine)
            found["blend"].append(blended.items[:, :k])
            if self.ranker:
                found["ranker"].append(reordered(blended.items, self.ranker.score(blended.features))[:, :k])
        return {name: np.concatenate(blocks) for name, blocks in found.items()}


def train(
    observed: sp.csr_matrix,
    config: RecipeConfig,
    seed: int,
    say: Say = lambda _: None,
    times: sp.csr_matrix | None = None,
) -> Trained:
    """Train on `observed` (n_users, n_items), weights above 0, and `times` (or an order) of the same entries, above 0.

    ValueError where nothing can be held out, or times have other entries than what was observed. Whoever gives times
    asks for recommendations with the histories of `recency_weighted`.
    """
    rng = np.random.default_rng(seed)
    known, held_out = _split(observed, times, config.share, rng)
    judges = np.flatnonzero(np.diff(held_out.indptr))
    if not len(judges):
        raise ValueError("Nobody has two interactions, so nothing can be held out to choose by.")
    clock = Clock(say)
    trial = _fit_models(known, held_out, config, rng, clock, times is not None)
    histories = known if times is None else recency_weighted(known, times, config.half_life)
    some = _draw(judges, config.weighing, rng)
    with clock.takes("blend"):
        weights = _weigh(trial.parts, histories[some], held_out[some])
    taught = _draw(judges, config.ranking, rng)
    with clock.takes("ranker"):
        making = featurizer(trial, weights, config.depth)
        learned, why = _learn(making, histories[taught], held_out[taught], config, seed)
    models = _fit_again(observed, trial, config, rng, clock)
    return Trained(models, weights, learned, why, config.depth, dict(clock.seconds))


def recency_weighted(histories: sp.csr_matrix, times: sp.csr_matrix, half_life: float) -> sp.csr_matrix:
    """The `histories` (n_users, n_items) with weights that halve with every `half_life` places from the last item.

    `times` (n_users, n_items) has, among others, the same entries, above 0.
    """
    pairs = histories.tocoo()
    places = places_from_last(pairs.row, np.asarray(times[pairs.row, pairs.col]).ravel())
    weights = recency_weights(places, half_life, floor=0.001)
    return sp.csr_matrix((weights, (pairs.row, pairs.col)), shape=histories.shape)


class Clock:
    """Adds up the CPU seconds of each step, and says when one is done."""

    def __init__(self, say: Say) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._say = say

    @contextmanager
    def takes(self, step: str) -> Iterator[None]:
        begun = time.process_time()
        yield
        took = time.process_time() - begun
        self.seconds[step] += took
        self._say(f"{step}: {took:.1f} s of CPU")


def featurizer(models: Models, weights: Mapping[str, float], depth: int) -> Featurizer:
    """What makes candidates of histories, and their features."""
    norms = np.linalg.norm(models.factors, axis=1).astype(np.float32)
    return Featurizer(models.parts, weights, models.graph, models.counts, norms, depth)


def _split(
    observed: sp.csr_matrix, times: sp.csr_matrix | None, share: float, rng: np.random.Generator
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    pairs = observed.tocoo()
    if times is None:
        held = hold_out_random(pairs.row, share, rng)
    elif ((times != 0) != (observed != 0)).nnz:
        raise ValueError("The times are to be of the same entries as what was observed, and above 0.")
    else:
        held = hold_out_last(pairs.row, np.asarray(times[pairs.row, pairs.col]).ravel(), share)
    known, held_out = (
        sp.csr_matrix((pairs.data[part], (pairs.row[part], pairs.col[part])), shape=observed.shape)
        for part in (~held, held)
    )
    return known, held_out


def _draw(users: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.sort(rng.choice(users, most, replace=False)) if len(users) > most else users


def _fit_models(
    known: sp.csr_matrix,
    held_out: sp.csr_matrix,
    config: RecipeConfig,
    rng: np.random.Generator,
    clock: Clock,
    dated: bool,
) -> Models:
    """Without what was held out, which chooses EASE's regularisation: that grows with the data."""
    chosen = config.als if known.nnz >= config.many else config.small_als
    with clock.takes("ials"):
        factors = als.fit(known, chosen, rng)
    judges = _draw(np.flatnonzero(np.diff(held_out.indptr)), config.weighing, rng)
    regularisation = None
    if known.shape[1] <= config.ease_items:
        with clock.takes("ease"):
            regularisation = max(
                (EaseConfig(value) for value in config.ease_regularisations),
                key=lambda one: _judge(ease.fit(known, one), known[judges], held_out[judges]),
            )
    return _models(known, factors, chosen, regularisation, config, clock, dated)


def _fit_again(
    observed: sp.csr_matrix, trial: Models, config: RecipeConfig, rng: np.random.Generator, clock: Clock
) -> Models:
    """The same models of everything."""
    again = replace(trial.als, epochs=config.again)
    with clock.takes("ials"):
        factors = als.fit(observed, again, rng, start=trial.factors)
    return _models(observed, factors, trial.als, trial.ease, config, clock, trial.dated)


def _models(
    observed: sp.csr_matrix,
    factors: AlsFactors,
    chosen: AlsConfig,
    ease_config: EaseConfig | None,
    config: RecipeConfig,
    clock: Clock,
    dated: bool,
) -> Models:
    with clock.takes("item_graph"):
        graph = item_graph.fit(observed, config.graph)
    trained: dict[str, Scorer] = {"item_graph": graph, "ials": AlsScorer(factors.items, factors.unobserved, chosen)}
    if ease_config:
        with clock.takes("ease"):
            trained["ease"] = ease.fit(observed, ease_config)
    counts = popularity.fit(observed)
    parts = dict(trained)
    if dated:
        parts = {name: Unweighted(one) for name, one in trained.items()}
        parts |= {f"{name}_recent": one for name, one in trained.items()}
    parts["popularity"] = counts
    weights = sp.csr_matrix(graph.weights)
    return Models(parts, factors.items, weights, counts.counts, chosen, ease_config, dated)


def _judge(scorer: Scorer, known: sp.csr_matrix, held_out: sp.csr_matrix) -> float:
    return float(np.nanmean(ndcg(top_scored(scorer, known, K), held_out)))


def _weigh(parts: Mapping[str, Scorer], known: sp.csr_matrix, held_out: sp.csr_matrix) -> dict[str, float]:
    """Weights by NDCG over what any part puts forward: blending that costs little."""
    blocks = [
        _put_forward(parts, known[start : start + BATCH], held_out[start : start + BATCH])
        for start in range(0, known.shape[0], BATCH)
    ]
    kept = {name: np.concatenate([scores[name] for scores, _ in blocks]) for name in parts}
    relevant = np.concatenate([found for _, found in blocks])
    most = np.diff(held_out.indptr)

    def judge(weights: Mapping[str, float]) -> float:
        scores = blend([kept[name] for name in weights], list(weights.values()))
        order = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        return float(_gains(np.take_along_axis(relevant, order, axis=1), most).mean())

    return choose_weights(list(parts), judge)


def _put_forward(
    parts: Mapping[str, Scorer], known: sp.csr_matrix, held_out: sp.csr_matrix
) -> tuple[dict[str, Floats], NDArray[np.bool_]]:
    """The scores by part, and which are relevant, of the items that any part puts forward: (n_users, n_candidates)."""
    blocks = {name: scaled(part.score(known)) for name, part in parts.items()}
    items = candidates(blocks, known, 5 * K)
    found = {name: np.take_along_axis(block, items, axis=1) for name, block in blocks.items()}
    return {name: np.where(items < 0, -np.inf, scores) for name, scores in found.items()}, labels(items, held_out)


def _gains(hits: NDArray[np.bool_], relevant: NDArray[np.integer]) -> NDArray[np.float64]:
    """NDCG of each row of `hits` (n_users, k), given how many relevant items there are."""
    discounts = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.cumsum(discounts)[np.minimum(np.maximum(relevant, 1), hits.shape[1]) - 1]
    return np.asarray(hits @ discounts / ideal)


def _learn(
    making: Featurizer, known: sp.csr_matrix, held_out: sp.csr_matrix, config: RecipeConfig, seed: int
) -> tuple[Ranker | None, str]:
    """A ranker, where it beats the blend on users that it was not taught by; else why there is none."""
    found = making.candidates(known)
    relevant = labels(found.items, held_out)
    taught = np.arange(len(found.items)) % 5 != 0
    try:
        learned = _fit_ranker(found, relevant, taught, making.names, config, seed)
    except (NothingToLearn, RankerUnavailable) as error:
        return None, str(error)
    judged = ~taught
    ranked = reordered(found.items[judged], learned.score(found.features[judged]))[:, :K]
    won = compare(ndcg(ranked, held_out[judged]), ndcg(found.items[judged][:, :K], held_out[judged]))
    if not won.first_wins:
        return None, f"The ranker does not beat the blend on held-out users ({won.interval.low:+.4f} at worst)."
    return learned, ""


def _fit_ranker(
    found: Candidates,
    relevant: NDArray[np.bool_],
    taught: NDArray[np.bool_],
    names: list[str],
    config: RecipeConfig,
    seed: int,
) -> Ranker:
    given = found.items >= 0
    return ranker.fit(found.features[taught], relevant[taught], names, config.ranker, seed, given=given[taught])
