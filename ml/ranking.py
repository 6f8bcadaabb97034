"""The best items for many users at once, from factors."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

_BATCH = 1024


def top_items(users: NDArray[np.float32], items: NDArray[np.float32], seen: sp.csr_matrix, k: int) -> NDArray[np.int64]:
    """The `k` items of largest inner product for each user, best first, without the nonzero entries of `seen`.

    `users` (n_users, d), `items` (n_items, d), `seen` (n_users, n_items); the answer is (n_users, k), -1 where there
    are no more items.
    """
    k_found = min(k, items.shape[0])
    answer = np.full((users.shape[0], k), -1, dtype=np.int64)
    for start in range(0, users.shape[0], _BATCH) if k_found else ():
        scores = users[start : start + _BATCH] @ items.T
        part = seen[start : start + _BATCH]
        scores[np.repeat(np.arange(part.shape[0]), np.diff(part.indptr)), part.indices] = -np.inf
        best = np.argpartition(-scores, k_found - 1, axis=1)[:, :k_found]
        values = np.take_along_axis(scores, best, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        found = np.take_along_axis(best, order, axis=1)
        found[np.take_along_axis(values, order, axis=1) == -np.inf] = -1
        answer[start : start + _BATCH, :k_found] = found
    return answer
