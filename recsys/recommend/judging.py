"""Whether a new model may replace the serving one: both rank for the same users, by what they did before a moment, and
are measured by what they did after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ml.interactions import Interactions, split_by_time
from ml.metrics import ndcg, recall, summarise
from ml.ranking import top_items
from recsys.recommend.training_data import Events

if TYPE_CHECKING:
    import scipy.sparse as sp  # which takes 0.2 s to load: only trainings do

K = 20
HELD_OUT = 0.1
LEAST_USERS = 50  # with fewer, a comparison says nothing
MOST_USERS = 5000
CONFIDENCE = 1.64  # standard errors: refused where it is worse with 95% confidence (one-sided)

Floats = NDArray[np.float32]
Recipe = Callable[[Interactions], tuple[Floats, Floats]]
"""Makes (users (n_users, d), items (n_items, d)) of what is known before the split."""


@dataclass(frozen=True)
class Split:
    """`known` before the moment, `later` from it on, over the same users and items and without what was known."""

    known: Interactions
    later: sp.csr_matrix
    moment: float

    @property
    def users(self) -> int:
        return int((np.diff(self.later.indptr) > 0).sum())


def split(events: Events, moment: float | None = None) -> Split:
    """Split `events` at `moment`, or where the last tenth of them begins."""
    if moment is None:
        moment = split_by_time(events.times, HELD_OUT)
    known = events.where(events.times < moment).matrix()
    later = events.where(events.times >= moment).matrix(known.user_ids, known.item_ids).matrix
    later = later - later.multiply(known.matrix != 0)
    later.eliminate_zeros()
    return Split(known=known, later=later.tocsr(), moment=moment)


def measure(recipe: Recipe, data: Split, rng: np.random.Generator) -> NDArray[np.float64]:
    """NDCG@K and recall@K of each judged user, (n_users, 2)."""
    users, items = recipe(data.known)
    judged = np.flatnonzero(np.diff(data.later.indptr))
    if len(judged) > MOST_USERS:
        judged = np.sort(rng.choice(judged, MOST_USERS, replace=False))
    ranked = top_items(users[judged], items, data.known.matrix[judged], K)
    later = data.later[judged]
    return np.stack([ndcg(ranked, later), recall(ranked, later)], axis=1)


@dataclass(frozen=True)
class Judgement:
    """`promote` or not, in words why, and what was measured."""

    promote: bool
    reason: str
    metrics: dict[str, Any]


def judge(data: Split, candidate: Recipe, serving: Recipe | None, seed: int) -> Judgement:
    """Measure `candidate`, and `serving` if there is one, on the same split."""
    if not data.users:
        return Judgement(True, "Nobody came back after the split, so there is nothing to measure by.", {})
    scores = measure(candidate, data, np.random.default_rng(seed))
    metrics = _as_metrics(scores)
    if serving is None:
        return Judgement(True, "There is no serving model to be compared with.", metrics)
    before = measure(serving, data, np.random.default_rng(seed))
    gain = summarise(scores[:, 0] - before[:, 0])
    metrics["serving"] = _as_metrics(before)
    metrics["gain"] = {"mean": round(gain.mean, 5), "error": round(gain.error, 5)}
    if gain.mean + CONFIDENCE * gain.error < 0:
        return Judgement(False, f"NDCG@{K} fell by {-gain.mean:.4f} ± {gain.error:.4f}.", metrics)
    return Judgement(True, f"NDCG@{K} changed by {gain.mean:+.4f} ± {gain.error:.4f}.", metrics)


def _as_metrics(scores: NDArray[np.float64]) -> dict[str, Any]:
    gains, recalls = summarise(scores[:, 0]), summarise(scores[:, 1])
    return {f"ndcg@{K}": round(gains.mean, 5), f"recall@{K}": round(recalls.mean, 5), "users": gains.users}
