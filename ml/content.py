"""Recommendations by content: a user is the mean of what they took up, and items are ranked by closeness to it.

With unit vectors c_i of the items and weights w_i of a user's history (1, or their recency),

    p_u = sum of w_i c_i / || sum of w_i c_i ||        score(u, j) = p_u . c_j

Rocchio's method with positive feedback alone (in Salton, "The SMART Retrieval System", 1971), as content-based
recommenders use it (Pazzani, Billsus, "Content-Based Recommendation Systems", 2007). The score is a sum over the
history, so each of its items has a share in it that is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml.scorers import check_histories
from ml.vectors import unit_rows

Floats = NDArray[np.float32]

_SHORTEST = 1e-9  # of a profile: what is left of vectors that cancel each other out is rounding


def profiles(histories: sp.csr_matrix, vectors: Floats) -> Floats:
    """The users' profiles (n_users, d), unit rows, of `histories` (n_users, n_items), no weight below 0, and the items'
    `vectors` (n_items, d). Zero for a history without known content.

    ValueError for weights that are negative or not finite, or another number of items.
    """
    matrix = _checked(histories)
    if matrix.shape[1] != vectors.shape[0]:
        raise ValueError(f"Histories over {matrix.shape[1]} items, but vectors of {vectors.shape[0]}.")
    return unit_rows(np.asarray(_shares(matrix) @ vectors), _SHORTEST).astype(np.float32)


@dataclass(frozen=True)
class ContentScorer:
    """Scores by content alone, so an item nobody has taken up yet is as good as any. `vectors` (n_items, d), unit rows;
    a zero row is an item of which nothing is known, and scores 0.

    ValueError for vectors that are not finite, or not of two dimensions.
    """

    vectors: Floats

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or not np.isfinite(self.vectors).all():
            raise ValueError("Content vectors must be finite, of shape (n_items, d).")

    @property
    def n_items(self) -> int:
        return int(self.vectors.shape[0])

    def score(self, histories: sp.csr_matrix) -> Floats:
        """The closeness (n_users, n_items), -1 to 1, of all items to users with these histories (n_users, n_items)."""
        return np.asarray(profiles(histories, self.vectors) @ self.vectors.T, dtype=np.float32)

    def carried(self, history: NDArray[np.integer], weights: Floats, items: NDArray[np.integer]) -> Floats:
        """What each item of a history brings to the scores of `items`: (len(history), len(items)), summing to them."""
        shares = _shares(_checked(sp.csr_matrix(np.asarray(weights)[None, :]))).toarray()[0]
        parts = shares[:, None] * self.vectors[history]
        length = np.linalg.norm(parts.sum(axis=0, dtype=np.float64))
        if length <= _SHORTEST:
            return np.zeros((len(history), len(items)), dtype=np.float32)
        return np.asarray((parts / length) @ self.vectors[items].T, dtype=np.float32)


def _checked(histories: sp.csr_matrix) -> sp.csr_matrix:
    check_histories(histories)
    matrix = sp.csr_matrix(histories, dtype=np.float32, copy=True)
    matrix.sum_duplicates()
    return matrix


def _shares(histories: sp.csr_matrix) -> sp.csr_matrix:
    """Each row's weights divided by the largest: lengths are then those of a mean, whatever the weights' unit."""
    largest = np.asarray(histories.max(axis=1).toarray(), dtype=np.float64).ravel() if histories.nnz else 0
    scale = _inverse(np.broadcast_to(largest, histories.shape[:1]))
    return sp.csr_matrix(sp.diags_array(scale) @ histories.astype(np.float64))


def _inverse(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(1.0, values, out=np.zeros(len(values)), where=values > 0)
