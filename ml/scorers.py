"""What every collaborative model offers, so that blends, benches and tests take any of them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Scorer(Protocol):
    """Scores items for users who are known by their histories alone: no user need have been there in training."""

    @property
    def n_items(self) -> int: ...

    def score(self, histories: sp.csr_matrix) -> Floats:
        """The scores (n_users, n_items) for histories (n_users, n_items) of weights above 0; seen items are not masked.

        An empty history has the score 0 for everything.
        """
        ...

    def carried(self, history: NDArray[np.integer], weights: Floats, items: NDArray[np.integer]) -> Floats:
        """What each item of a history brings to the scores of `items`: (len(history), len(items)), summing to them."""
        ...
