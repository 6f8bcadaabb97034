"""The best items for many users at once, from factors or from scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.scorers import Scorer

if TYPE_CHECKING:
    import scipy.sparse as sp  # which takes 0.2 s to load: only trainings do

_BLOCK = 5 << 20  # scores at a time: 20 MB, as the system takes larger ones back each time, and clears them anew


def blocks(n_users: int, n_items: int) -> Iterator[slice]:
    """Runs of users whose scores of all items are few enough to be computed together."""
    step = max(1, min(1024, _BLOCK // max(n_items, 1)))
    return (slice(start, start + step) for start in range(0, n_users, step))


def top_items(users: NDArray[np.float32], items: NDArray[np.float32], seen: sp.csr_matrix, k: int) -> NDArray[np.int64]:
    """The `k` items of largest inner product for each user, best first, without the nonzero entries of `seen`.

    `users` (n_users, d), `items` (n_items, d), `seen` (n_users, n_items); the answer is (n_users, k), -1 where there
    are no more items. ValueError for a `k` below 0.
    """
    answer = _nothing(users.shape[0], k)
    for part in blocks(len(users), len(items)):
        answer[part] = best_of(users[part] @ items.T, seen[part], k)
    return answer


def top_scored(scorer: Scorer, histories: sp.csr_matrix, k: int) -> NDArray[np.int64]:
    """The `k` items that a scorer scores highest for each of the histories (n_users, n_items), without their own.

    As `top_items`: (n_users, k), -1 where there are no more. Scores are computed in blocks of users.
    """
    answer = _nothing(histories.shape[0], k)
    for part in blocks(*histories.shape):
        answer[part] = best_of(scorer.score(histories[part]), histories[part], k)
    return answer


def best_of(scores: NDArray[np.float32], seen: sp.csr_matrix, k: int) -> NDArray[np.int64]:
    """The `k` items of the highest scores (n_users, n_items) in each row, best first, without the entries of `seen`.

    Of equal scores any may be first. -1 where there are no more: what is scored -inf or NaN is never put forward. The
    entries of `seen` are overwritten meanwhile, and restored. ValueError for a `k` below 0.
    """
    n_users, n_items = scores.shape
    answer = _nothing(n_users, k)
    if not answer.size or not n_items:
        return answer
    rows = np.repeat(np.arange(n_users), np.diff(seen.indptr))
    hidden = scores[rows, seen.indices]
    scores[rows, seen.indices] = -np.inf
    bounds = _lower_bounds(scores, k)
    is_found = scores >= bounds[:, None]
    _leave_largest(is_found, scores, k)
    who, items = np.nonzero(is_found)
    order = np.lexsort((-scores[who, items], who))
    who, items = who[order], items[order]
    places = np.arange(len(who)) - np.searchsorted(who, who, side="left")
    answer[who[places < k], places[places < k]] = items[places < k]
    scores[rows, seen.indices] = hidden
    return answer


def _nothing(n_users: int, k: int) -> NDArray[np.int64]:
    if k < 0:
        raise ValueError(f"k must be at least 0, not {k}.")
    return np.full((n_users, k), -1, dtype=np.int64)


def _lower_bounds(scores: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """What the k-th largest score of each row is not below, (n_users,), and above -inf.

    The k-th largest of the maxima of 4 k parts of the row, which is near it and takes a tenth of the time.
    """
    n_users, n_items = scores.shape
    parts = 4 * k
    lowest = np.finfo(np.float32).min
    if n_items < 2 * parts:
        return np.full(n_users, lowest, dtype=np.float32)
    maxima = scores[:, : n_items - n_items % parts].reshape(n_users, -1, parts).max(axis=1)
    maxima[np.isnan(maxima)] = -np.inf  # a part with a NaN bounds nothing
    return np.maximum(np.partition(maxima, parts - k, axis=1)[:, parts - k], lowest)


def _leave_largest(is_found: NDArray[np.bool_], scores: NDArray[np.float32], k: int) -> None:
    """Of rows where far more than `k` are found, as where few differ from 0, leave `k` of the largest."""
    for row in np.flatnonzero(np.count_nonzero(is_found, axis=1) > 8 * k):
        found = np.flatnonzero(is_found[row])
        is_found[row, found[np.argpartition(scores[row, found], len(found) - k)[: len(found) - k]]] = False
