"""The whole of it for one matrix: train each model, blend them, learn to rank, each chosen by what was held out.

    held out a share ─▶ models without it ─▶ weights of the blend ─▶ candidates ─▶ ranker, if it wins
                        models with all of it, the same weights, the same ranker

Where times are known, what was held out is the latest of each user, and each model takes part a second time, with the
recent items of a history counting for more (`…_recent`): what somebody takes up next follows from these more often.

Few things are chosen, and each by its NDCG on held-out interactions: a small hold-out does not mirror every test.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml.blend import BlendScorer, scaled
from ml.collaborative import Clock, CollaborativeConfig, K, Models, Say, choose, train_again
from ml.decay import recency_weights
from ml.interactions import times_at
from ml.linear import check_weights
from ml.metrics import first_unless_beaten
from ml.ranker import Ranker, RankerConfig, reordered
from ml.ranker_features import Featurizer
from ml.ranker_training import learn
from ml.ranking import best_of, blocks
from ml.splits import hold_out_last, hold_out_random, places_from_last
from ml.weighing import weigh


@dataclass(frozen=True)
class RecipeConfig:
    """`share` of each user's interactions are held out; `weighing` users at most judge the models and the blend's
    weights (fewer of them in up to `samples` samples, which have about as many together), and `ranking` users at most
    teach the ranker, a fifth of whom judge it. Where times are known, an item of a history counts half as much as the
    one so many places after it, by one of the `half_lives`, for the parts that look at what is recent. The ranker has
    its own config; `depth` candidates are its to order.
    """

    models: CollaborativeConfig = field(default_factory=CollaborativeConfig)
    share: float = 0.1
    weighing: int = 4000
    samples: int = 10
    ranking: int = 20_000
    half_lives: tuple[float, ...] = (10.0, 3.0, 30.0)
    depth: int = 100
    ranker: RankerConfig = field(default_factory=RankerConfig)

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"share must be between 0 and 1, not {self.share}.")
        if min(self.weighing, self.samples, self.ranking, self.depth) < 1:
            raise ValueError("weighing, samples, ranking and depth must be at least 1.")
        if not self.half_lives or not all(np.isfinite(one) and one > 0 for one in self.half_lives):
            raise ValueError("half_lives must name at least one, each finite and above 0.")


@dataclass(frozen=True)
class Trained:
    """What a recipe made: the models, the blend's `weights`, and the ranker of `depth` candidates, or `why_no_ranker`.
    `half_life` is that of what is recent, None where times are not known; `seconds` of CPU that each step took."""

    models: Models
    weights: dict[str, float]
    half_life: float | None
    ranker: Ranker | None
    why_no_ranker: str
    depth: int
    seconds: dict[str, float]

    def __post_init__(self) -> None:
        _ = self.blend  # which refuses weights that make none
        if not isinstance(self.depth, int) or self.depth < 1:
            raise ValueError(f"depth must be a whole number of at least 1, not {self.depth}.")
        if self.half_life is not None and not 0 < self.half_life < np.inf:
            raise ValueError(f"half_life must be finite and above 0, not {self.half_life}.")
        if (self.half_life is None) != (self.models.successors is None):
            raise ValueError("A half-life and successors both come of times, and neither without them.")

    @property
    def n_items(self) -> int:
        return self.models.counts.n_items

    @property
    def blend(self) -> BlendScorer:
        return BlendScorer(self.models.parts, self.weights)

    def recommend(
        self, observed: sp.csr_matrix, times: sp.csr_matrix | None = None, k: int = K
    ) -> dict[str, NDArray[np.int64]]:
        """The best `k` unseen items (n_users, k) by each part, by the blend, and by the ranker where there is one.

        Of who has no history no part but popularity knows anything, so blend and ranker say what that says. ValueError
        for less than one of them, and where there are no `times` though it was trained with some.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}.")
        observed = sp.csr_matrix(observed, copy=True)
        observed.eliminate_zeros()  # what counts for nothing is not there
        histories = weighted(observed, times, self.half_life)
        making = featurizer(self.models, self.weights, max(k, self.depth))
        names = [*making.parts, "blend", *(["ranker"] if self.ranker else [])]
        found = {name: np.full((histories.shape[0], k), -1, dtype=np.int64) for name in names}
        for users in blocks(*histories.shape):
            mine = histories[users]
            scores = {name: scaled(part.score(mine)) for name, part in making.parts.items()}
            for name, scored in scores.items():
                found[name][users] = best_of(scored, mine, k)
            items = making.items_of(scores, mine)
            found["blend"][users] = items[:, :k]
            if self.ranker:
                features = making.features_of(items, scores, mine)
                found["ranker"][users] = reordered(items, self.ranker.score(features, items >= 0))[:, :k]
        unknown = np.diff(histories.indptr) == 0
        for name in names[len(making.parts) :]:
            found[name][unknown] = found["popularity"][unknown]
        return found


def train(
    observed: sp.csr_matrix,
    config: RecipeConfig,
    seed: int,
    say: Say = lambda _: None,
    times: sp.csr_matrix | None = None,
) -> Trained:
    """Train on `observed` (n_users, n_items), weights above 0, and `times` (or an order) of the same entries, finite
    and above 0, each once; of equal times the smaller item is first.

    ValueError for weights and times that are not like this, and where nothing can be held out.
    """
    rng = np.random.default_rng(seed)
    observed = check_weights(observed)
    times = None if times is None else _check_times(times, observed)
    known, held_out = _split(observed, times, config.share, rng)
    judges = np.flatnonzero(np.diff(held_out.indptr))
    if not len(judges):
        raise ValueError("Nobody has two interactions, so nothing can be held out to choose by.")
    clock = Clock(say)
    some, taught = _draw(judges, config.weighing, rng), _draw(judges, config.ranking, rng)
    trial = choose(known, some, held_out[some], config.models, rng, clock, times)
    half_lives: tuple[float | None, ...] = (None,) if times is None else config.half_lives
    samples = min(config.samples, config.weighing // len(some))

    def weighed(half_life: float | None) -> tuple[tuple[float | None, dict[str, float]], NDArray[np.float64]]:
        found = weigh(trial.parts, weighted(known, times, half_life)[some], held_out[some], K, rng, samples)
        return (half_life, found.weights), found.ndcg

    with clock.takes("blend"):
        half_life, weights = first_unless_beaten(map(weighed, half_lives))
    with clock.takes("ranker"):
        making = featurizer(trial, weights, config.depth)
        histories = weighted(known, times, half_life)
        learned = learn(making, histories[taught], held_out[taught], config.ranker, K, seed)
    models = train_again(observed, trial, config.models, rng, clock, times)
    return Trained(models, weights, half_life, learned.ranker, learned.why_none, config.depth, dict(clock.seconds))


def weighted(histories: sp.csr_matrix, times: sp.csr_matrix | None, half_life: float | None) -> sp.csr_matrix:
    """The `histories` (n_users, n_items) with weights that halve with every `half_life` places from the last item; as
    they are without one.

    Weights that they have already count too. `times` (n_users, n_items) has, among others, the same entries, above 0.
    ValueError where there are none.
    """
    if half_life is None:
        return histories
    if times is None:
        raise ValueError("What is recent cannot be told without times.")
    pairs = histories.tocoo()
    places = places_from_last(pairs.row, times_at(times, pairs.row, pairs.col))
    weights = recency_weights(places, half_life, floor=0.001)
    return sp.csr_matrix((pairs.data * weights, (pairs.row, pairs.col)), shape=histories.shape)


def featurizer(models: Models, weights: dict[str, float], depth: int) -> Featurizer:
    """What makes candidates of histories, and their features."""
    graph = sp.csr_matrix(models.item_graph.weights)
    return Featurizer(models.parts, weights, graph, models.counts.counts, models.ials.items, depth)


def _check_times(times: sp.csr_matrix, observed: sp.csr_matrix) -> sp.csr_matrix:
    once = times.copy()
    once.sum_duplicates()
    if times.shape != observed.shape or once.nnz != times.nnz or ((once != 0) != (observed != 0)).nnz:
        raise ValueError("The times are to be of the same entries as what was observed, and each once.")
    return once


def _split(
    observed: sp.csr_matrix, times: sp.csr_matrix | None, share: float, rng: np.random.Generator
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    pairs = observed.tocoo()
    if times is None:
        held = hold_out_random(pairs.row, share, rng)
    else:
        held = hold_out_last(pairs.row, times_at(times, pairs.row, pairs.col), share)
    known, held_out = (
        sp.csr_matrix((pairs.data[part], (pairs.row[part], pairs.col[part])), shape=observed.shape)
        for part in (~held, held)
    )
    return known, held_out


def _draw(users: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.sort(rng.choice(users, most, replace=False)) if len(users) > most else users
