"""A sparse graph of items by order: which others people took up after an item, and how soon.

    S_ij = sum over all pairs where j came g places after i, g <= w, in one history, of 2 ^ (-(g - 1) / h)

then each column j divided by n_j ^ b, with n_j how often j was taken up, and each row cut to its largest and made of
length 1. A user's scores are the sum of the rows of their history's items, each for as much as it is recent.

The sequential rules of Kamehkhosh, Jannach, Ludewig ("A Comparison of Frequent Pattern Techniques and a Deep Learning
Method for Session-Based Recommendation", TempRec 2017), over whole histories, with the item graph's discount of what
everybody takes up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml.interactions import times_at
from ml.item_graph import power, strongest
from ml.linear import LinearScorer, check_weights

_BLOCK = 1 << 22  # pairs in memory at a time, about


@dataclass(frozen=True)
class SuccessorsConfig:
    """`window` w and `half_life` h in places, `popularity_exponent` b; each item keeps its `neighbours` strongest."""

    window: int = 40
    half_life: float = 20.0
    popularity_exponent: float = 0.3
    neighbours: int = 250

    def __post_init__(self) -> None:
        if self.window < 1 or self.neighbours < 1:
            raise ValueError("window and neighbours must be at least 1.")
        if not (np.isfinite(self.popularity_exponent) and np.isfinite(self.half_life) and self.half_life > 0):
            raise ValueError("The exponent must be finite, and the half-life finite and above 0.")


def fit(observed: sp.csr_matrix, times: sp.csr_matrix, config: SuccessorsConfig | None = None) -> LinearScorer:
    """Build the graph of `observed` (n_users, n_items), weights above 0, whose `times` (or an order) are at the same
    places, (n_users, n_items), and perhaps others; of equal times the smaller item is first. Memory is bounded by
    blocks of items.

    ValueError for weights that are not finite and positive, and for what has no time.
    """
    config = config or SuccessorsConfig()
    pairs = check_weights(observed).tocoo()
    order = np.lexsort((times_at(times, pairs.row, pairs.col), pairs.row))
    users, items = pairs.row[order], pairs.col[order]
    n_items = observed.shape[1]
    counts = np.bincount(items, minlength=n_items)
    of_item = power(counts, -config.popularity_exponent)
    by_item = np.argsort(items, kind="stable")
    parts = []
    for first, last in _blocks(counts, config.window):
        at = by_item[np.searchsorted(items[by_item], first) : np.searchsorted(items[by_item], last)]
        block = _followers(users, items, at, first, (last - first, n_items), config)
        parts.append(strongest(sp.csr_matrix(block.multiply(of_item[None, :])), first, config.neighbours))
    return LinearScorer(sp.csr_matrix(sp.vstack(parts, format="csr") if parts else (0, 0), dtype=np.float32))


def _blocks(counts: NDArray[np.integer], window: int) -> list[tuple[int, int]]:
    """Runs of items that are followed by about _BLOCK others together."""
    passed = np.concatenate([[0], np.cumsum(counts * window)])
    edges = np.searchsorted(passed, np.arange(_BLOCK, passed[-1], _BLOCK), side="left")
    edges = np.unique(np.concatenate([[0], edges, [len(counts)]]))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _followers(
    users: NDArray[np.integer],
    items: NDArray[np.integer],
    at: NDArray[np.integer],
    first: int,
    shape: tuple[int, int],
    config: SuccessorsConfig,
) -> sp.csr_matrix:
    """S for the items that stand at the places `at` of all events by user and time; row 0 is the item `first`."""
    rows, columns, weights = [], [], []
    for gap in range(1, config.window + 1):
        source = at[at < len(users) - gap]
        source = source[users[source] == users[source + gap]]
        rows.append(items[source] - first)
        columns.append(items[source + gap])
        weights.append(np.full(len(source), 2 ** (-(gap - 1) / config.half_life), dtype=np.float32))
    places = (np.concatenate(rows), np.concatenate(columns))
    return sp.csr_matrix((np.concatenate(weights), places), shape=shape, dtype=np.float32)
