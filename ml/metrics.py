"""Ranking metrics, per user, so that confidence intervals and paired comparisons can be made of them.

Every function takes `ranked` (n_users, k), the item indices recommended to each user, best first (-1: none), and
`relevant`, a csr matrix (n_users, n_items) whose nonzero entries are what the user really went on to. Users without
any are NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def hits(ranked: NDArray[np.integer], relevant: sp.csr_matrix) -> NDArray[np.bool_]:
    """Which recommendations were relevant, (n_users, k)."""
    if ranked.shape[0] != relevant.shape[0]:
        raise ValueError(f"{ranked.shape[0]} rows of recommendations for {relevant.shape[0]} users.")
    users = np.repeat(np.arange(ranked.shape[0]), ranked.shape[1])
    items = ranked.ravel()
    found = np.zeros(items.size, dtype=bool)
    given = items >= 0
    found[given] = np.asarray(relevant[users[given], items[given]]).ravel() != 0
    return found.reshape(ranked.shape)


def recall(ranked: NDArray[np.integer], relevant: sp.csr_matrix) -> Floats:
    """Share of the relevant items that were recommended."""
    return _per_user(hits(ranked, relevant).sum(axis=1), _counts(relevant))


def ndcg(ranked: NDArray[np.integer], relevant: sp.csr_matrix) -> Floats:
    """Discounted gain 1 / log2(rank + 1) of the hits, over that of the best list possible (min(k, relevant) hits
    first).

    Järvelin, Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (TOIS 2002), binary gains.
    """
    discounts = 1 / np.log2(np.arange(2, ranked.shape[1] + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])
    best = ideal[np.minimum(_counts(relevant), ranked.shape[1])]
    return _per_user(hits(ranked, relevant) @ discounts, best)


def hit_rate(ranked: NDArray[np.integer], relevant: sp.csr_matrix) -> Floats:
    """1 where any recommendation was relevant, else 0."""
    return _per_user(hits(ranked, relevant).any(axis=1).astype(float), np.minimum(_counts(relevant), 1))


def reciprocal_rank(ranked: NDArray[np.integer], relevant: sp.csr_matrix) -> Floats:
    """1 / rank of the first hit, 0 without one."""
    found = hits(ranked, relevant)
    first = np.where(found.any(axis=1), 1 / (found.argmax(axis=1) + 1), 0.0)
    return _per_user(first, np.minimum(_counts(relevant), 1))


@dataclass(frozen=True)
class Summary:
    """A mean over users and its standard error (0 for a single user)."""

    mean: float
    error: float
    users: int


def summarise(values: Floats) -> Summary:
    """The mean of `values`, NaN left out."""
    known = values[~np.isnan(values)]
    if not known.size:
        return Summary(0.0, 0.0, 0)
    error = known.std(ddof=1) / np.sqrt(known.size) if known.size > 1 else 0.0
    return Summary(float(known.mean()), float(error), int(known.size))


def _counts(relevant: sp.csr_matrix) -> NDArray[np.integer]:
    return np.diff(relevant.indptr)


def _per_user(gained: NDArray[np.number], possible: NDArray[np.number]) -> Floats:
    return np.divide(gained, possible, out=np.full(len(gained), np.nan), where=possible > 0)
