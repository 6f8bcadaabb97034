"""Chooses the weights of a blend by what was held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml.blend import blend, candidates, choose_weights, scaled
from ml.metrics import ndcg_of_hits
from ml.ranker_features import labels
from ml.ranking import blocks
from ml.scorers import Scorer

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Weighed:
    """The weights of a blend by the names of its parts, and the NDCG (n_users,) that it reached."""

    weights: dict[str, float]
    ndcg: NDArray[np.float64]


def weigh(parts: Mapping[str, Scorer], histories: sp.csr_matrix, held_out: sp.csr_matrix, k: int) -> Weighed:
    """The weights of `parts` with the best NDCG@k on what was held out of `histories`, (n_users, n_items) each.

    Only what any part puts forward is looked at, so that trying a weight costs little.
    """
    found = [_put_forward(parts, histories[users], held_out[users], 5 * k) for users in blocks(*histories.shape)]
    kept = {name: np.concatenate([scores[name] for scores, _ in found]) for name in parts}
    relevant = np.concatenate([labelled for _, labelled in found])
    counts = np.diff(held_out.indptr)

    def judge(weights: Mapping[str, float]) -> NDArray[np.float64]:
        scores = blend([kept[name] for name in weights], list(weights.values()))
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return ndcg_of_hits(np.take_along_axis(relevant, order, axis=1), counts)

    weights = choose_weights(list(parts), lambda weights: float(np.nanmean(judge(weights))))
    return Weighed(weights, judge(weights))


def _put_forward(
    parts: Mapping[str, Scorer], histories: sp.csr_matrix, held_out: sp.csr_matrix, k: int
) -> tuple[dict[str, Floats], NDArray[np.bool_]]:
    """The scores by part, and which are relevant, of the items that any part puts forward: (n_users, n_candidates)."""
    scored = {name: scaled(part.score(histories)) for name, part in parts.items()}
    items = candidates(scored, histories, k)
    found = {name: np.take_along_axis(block, items, axis=1) for name, block in scored.items()}
    return {name: np.where(items < 0, -np.inf, scores) for name, scores in found.items()}, labels(items, held_out)
