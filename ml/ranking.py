"""The best items for many users at once, from factors or from scores."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml.scorers import Scorer

_BATCH = 1024


def top_items(users: NDArray[np.float32], items: NDArray[np.float32], seen: sp.csr_matrix, k: int) -> NDArray[np.int64]:
    """The `k` items of largest inner product for each user, best first, without the nonzero entries of `seen`.

    `users` (n_users, d), `items` (n_items, d), `seen` (n_users, n_items); the answer is (n_users, k), -1 where there
    are no more items.
    """
    answer = np.full((users.shape[0], k), -1, dtype=np.int64)
    for start in range(0, users.shape[0], _BATCH):
        part = slice(start, start + _BATCH)
        answer[part] = best_of(users[part] @ items.T, seen[part], k)
    return answer


def top_scored(scorer: Scorer, histories: sp.csr_matrix, k: int) -> NDArray[np.int64]:
    """The `k` items that a scorer scores highest for each of the histories (n_users, n_items), without their own.

    As `top_items`: (n_users, k), -1 where there are no more. Scores are computed in blocks of users.
    """
    answer = np.full((histories.shape[0], k), -1, dtype=np.int64)
    for start in range(0, histories.shape[0], _BATCH):
        part = slice(start, start + _BATCH)
        answer[part] = best_of(scorer.score(histories[part]), histories[part], k)
    return answer


def best_of(scores: NDArray[np.float32], seen: sp.csr_matrix, k: int) -> NDArray[np.int64]:
    """The `k` items of the highest scores (n_users, n_items) in each row, best first, without the entries of `seen`.

    Of equal scores any may be first. -1 where there are no more, as for what is scored -inf.
    """
    answer = np.full((scores.shape[0], k), -1, dtype=np.int64)
    k_found = min(k, scores.shape[1])
    if not k_found:
        return answer
    losses = -scores
    losses[np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr)), seen.indices] = np.inf
    best = np.argpartition(losses, k_found - 1, axis=1)[:, :k_found]
    values = np.take_along_axis(losses, best, axis=1)
    order = np.argsort(values, axis=1, kind="stable")
    found = np.take_along_axis(best, order, axis=1)
    found[np.take_along_axis(values, order, axis=1) == np.inf] = -1
    answer[:, :k_found] = found
    return answer
