"""Chooses the weights of a blend by what was held out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml.blend import Weighed, blend, candidates, choose_weights, scaled
from ml.metrics import ndcg_of_hits
from ml.ranker_features import labels
from ml.scorers import Scorer

Floats = NDArray[np.float32]

_BATCH = 512  # users scored at once: blocks of scores are what takes memory


def weigh(parts: Mapping[str, Scorer], histories: sp.csr_matrix, held_out: sp.csr_matrix, k: int) -> Weighed:
    """The weights of `parts` with the best NDCG@k on what was held out of `histories`, (n_users, n_items) each.

    Only what any part puts forward is looked at, so that trying a weight costs little.
    """
    blocks = [
        _put_forward(parts, histories[start : start + _BATCH], held_out[start : start + _BATCH], 5 * k)
        for start in range(0, histories.shape[0], _BATCH)
    ]
    kept = {name: np.concatenate([scores[name] for scores, _ in blocks]) for name in parts}
    relevant = np.concatenate([found for _, found in blocks])
    counts = np.diff(held_out.indptr)

    def judge(weights: Mapping[str, float]) -> float:
        scores = blend([kept[name] for name in weights], list(weights.values()))
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return float(np.nanmean(ndcg_of_hits(np.take_along_axis(relevant, order, axis=1), counts)))

    return choose_weights(list(parts), judge)


def _put_forward(
    parts: Mapping[str, Scorer], histories: sp.csr_matrix, held_out: sp.csr_matrix, k: int
) -> tuple[dict[str, Floats], NDArray[np.bool_]]:
    """The scores by part, and which are relevant, of the items that any part puts forward: (n_users, n_candidates)."""
    blocks = {name: scaled(part.score(histories)) for name, part in parts.items()}
    items = candidates(blocks, histories, k)
    found = {name: np.take_along_axis(block, items, axis=1) for name, block in blocks.items()}
    return {name: np.where(items < 0, -np.inf, scores) for name, scores in found.items()}, labels(items, held_out)
