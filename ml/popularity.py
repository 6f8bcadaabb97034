"""How often items were taken up: what any model has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml.linear import check_weights
from ml.scorers import check_histories

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PopularityScorer:
    """`counts` (n_items,): the same scores for everybody, with a history or without."""

    counts: Floats

    @property
    def n_items(self) -> int:
        return len(self.counts)

    def score(self, histories: sp.csr_matrix) -> Floats:
        """The counts, for each of the users: (n_users, n_items)."""
        check_histories(histories)
        return np.tile(self.counts, (histories.shape[0], 1))

    def carried(self, history: NDArray[np.integer], weights: Floats, items: NDArray[np.integer]) -> Floats:
        """Zeros (len(history), len(items)): no item of a history brings anything to it."""
        return np.zeros((len(history), len(items)), dtype=np.float32)


def fit(observed: sp.csr_matrix) -> PopularityScorer:
    """The sums of the weights of `observed` (n_users, n_items) by item; ValueError for weights that are not finite and
    positive.
    """
    return PopularityScorer(np.asarray(check_weights(observed).sum(axis=0), dtype=np.float32).ravel())
