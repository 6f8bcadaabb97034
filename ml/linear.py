"""Scores that are sums over a history: each of its items says something for each other item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml.scorers import Scorer, check_histories

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LinearScorer:
    """`weights` (n_items, n_items), sparse or dense, float32: row i is what an item i in a history says for each other.

    A new or changed history needs no training. What the user has seen is not masked here.
    """

    weights: sp.csr_matrix | Floats

    @property
    def n_items(self) -> int:
        return int(self.weights.shape[0])

    def score(self, histories: sp.csr_matrix) -> Floats:
        """The scores (n_users, n_items) of all items for users with these histories (n_users, n_items) of weights.

        0 where nothing speaks for an item.
        """
        check_histories(histories)
        found = sp.csr_matrix(histories, dtype=np.float32) @ self.weights
        return np.asarray(found.toarray() if sp.issparse(found) else found, dtype=np.float32)

    def carried(self, history: NDArray[np.integer], weights: Floats, items: NDArray[np.integer]) -> Floats:
        """What each item of a history brings to the scores of `items`, (len(history), len(items)): their parts."""
        part = self.weights[history][:, items]
        dense = np.asarray(part.toarray() if sp.issparse(part) else part)
        return np.asarray(dense * np.asarray(weights, dtype=np.float32)[:, None], dtype=np.float32)


def check_weights(observed: sp.csr_matrix) -> sp.csr_matrix:
    """`observed` as float32 with one entry a pair; ValueError for weights that are not finite and positive."""
    matrix = sp.csr_matrix(observed, dtype=np.float32)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()  # which shares no places with what was given
        matrix.sum_duplicates()
    if matrix.nnz and not (np.isfinite(matrix.data).all() and matrix.data.min() > 0):
        raise ValueError("Weights must be finite and above 0.")
    return matrix


@dataclass(frozen=True)
class Unweighted:
    """A scorer that takes each item of a history for as much as any other, whatever their weights."""

    scorer: Scorer

    @property
    def n_items(self) -> int:
        return self.scorer.n_items

    def score(self, histories: sp.csr_matrix) -> Floats:
        """The scores (n_users, n_items) for the items of histories (n_users, n_items)."""
        check_histories(histories)
        items = sp.csr_matrix(histories, dtype=np.float32, copy=True)
        items.sum_duplicates()
        items.eliminate_zeros()
        items.data[:] = 1
        return self.scorer.score(items)

    def carried(self, history: NDArray[np.integer], weights: Floats, items: NDArray[np.integer]) -> Floats:
        """What each item of a history brings to the scores of `items`: (len(history), len(items))."""
        return self.scorer.carried(history, np.ones(len(history), dtype=np.float32), items)
