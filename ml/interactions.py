"""Interactions as a sparse matrix with vocabularies, and their split by time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import scipy.sparse as sp  # which takes 0.2 s to load: only trainings do

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Interactions:
    """`matrix` (n_users, n_items): weights of what was observed. Row r is the user `user_ids[r]`, column c the item
    `item_ids[c]`; both are sorted and hold every id once."""

    matrix: sp.csr_matrix
    user_ids: Ids
    item_ids: Ids


def from_arrays(
    users: ArrayLike, items: ArrayLike, weights: ArrayLike, *, user_ids: Ids | None = None, item_ids: Ids | None = None
) -> Interactions:
    """Build the matrix of parallel arrays, one entry each per observation; of repeated pairs the largest weight counts.

    With a given vocabulary (sorted) the observations outside of it are left out. ValueError for arrays of different
    lengths, or weights that are not finite and above 0.
    """
    import scipy.sparse as sp

    user_column, item_column = np.asarray(users, dtype=np.int64), np.asarray(items, dtype=np.int64)
    weight_column = np.asarray(weights, dtype=np.float32)
    if not user_column.shape == item_column.shape == weight_column.shape or user_column.ndim != 1:
        raise ValueError("users, items and weights must be of one dimension and the same length.")
    if weight_column.size and not (np.isfinite(weight_column).all() and weight_column.min() > 0):
        raise ValueError("Weights must be finite and above 0.")
    user_ids = np.unique(user_column) if user_ids is None else user_ids
    item_ids = np.unique(item_column) if item_ids is None else item_ids
    rows, known_users = _positions(user_column, user_ids)
    columns, known_items = _positions(item_column, item_ids)
    known = known_users & known_items
    rows, columns, weight_column = _largest(rows[known], columns[known], weight_column[known], len(item_ids))
    shape = (len(user_ids), len(item_ids))
    return Interactions(sp.csr_matrix((weight_column, (rows, columns)), shape=shape), user_ids, item_ids)


def split_by_time(times: ArrayLike, share: float = 0.1) -> float:
    """The time from which on the last `share` of `times` lies: train before it, test from it on."""
    if not 0 < share < 1:
        raise ValueError(f"share must be between 0 and 1, not {share}.")
    return float(np.quantile(np.asarray(times, dtype=np.float64), 1 - share))


def _positions(values: Ids, vocabulary: Ids) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    places = np.searchsorted(vocabulary, values)
    inside = places < len(vocabulary)
    known = np.zeros(len(values), dtype=bool)
    known[inside] = vocabulary[places[inside]] == values[inside]
    return places, known


def _largest(
    rows: NDArray[np.intp], columns: NDArray[np.intp], weights: NDArray[np.float32], width: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """One entry for each (row, column)."""
    order = np.lexsort((-weights, columns, rows))
    keys = rows[order].astype(np.int64) * max(width, 1) + columns[order]
    first = order[np.concatenate([[True], keys[1:] != keys[:-1]])] if len(order) else order
    return rows[first], columns[first], weights[first]


def times_at(times: sp.csr_matrix, rows: NDArray[np.integer], columns: NDArray[np.integer]) -> NDArray[Any]:
    """The times (n_rows, n_columns) of what was observed at these places, dense: (n,).

    ValueError where there is none, or one that is not finite and above 0.
    """
    if not len(rows):  # for which SciPy gives a matrix
        return np.zeros(0, dtype=times.dtype)
    found = np.asarray(times[rows, columns]).ravel()
    if not (np.isfinite(found).all() and found.min() > 0):
        raise ValueError("Each of what was observed must have a time that is finite and above 0.")
    return found
