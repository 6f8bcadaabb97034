"""What every collaborative model offers, so that blends, benches and tests take any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import scipy.sparse as sp  # which takes 0.2 s to load: only trainings do

Floats = NDArray[np.float32]


class Scorer(Protocol):
    """Scores items for users who are known by their histories alone: no user need have been there in training."""

    @property
    def n_items(self) -> int: ...

    def score(self, histories: sp.csr_matrix) -> Floats:
        """The scores (n_users, n_items) for histories (n_users, n_items) of weights above 0; seen items are not masked.
        The array is a new one, which the caller may write to.

        An empty history has what no history changes: 0, but for popularity and for a blend that it is a part of.
        ValueError for weights that are negative or not finite.
        """
        ...

    def carried(self, history: NDArray[np.integer], weights: Floats, items: NDArray[np.integer]) -> Floats:
        """What each item of a history brings to the scores of `items`: (len(history), len(items)).

        Over the history they sum up to the score less that of an empty history, which no item of it carried.
        """
        ...


def check_histories(histories: sp.csr_matrix) -> None:
    """ValueError for weights that are negative or not finite. 0 is what is left of one that is very long ago."""
    weights = histories.data
    if weights.size and not (weights.min() >= 0 and weights.max() <= np.finfo(np.float32).max):
        raise ValueError("The weights of histories must be finite and not negative.")


def strongest_carriers(carried: Floats, k: int) -> NDArray[np.intp]:
    """For each item, the positions in the history of the `k` that carried most of its score, most first: (n_items, k).

    `carried` (n_history, n_items) is what a scorer's `carried` gave. -1 where no further one spoke for the item.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}.")
    found = np.full((carried.shape[1], k), -1, dtype=np.intp)
    order = np.argsort(-carried, axis=0, kind="stable")[:k].T
    spoke = np.take_along_axis(carried.T, order, axis=1) > 0
    found[:, : order.shape[1]] = np.where(spoke, order, -1)
    return found
