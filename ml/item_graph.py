"""A sparse graph of items: which others the people who took up an item took up too.

    G = R' diag(n_u ^ -a) R,   then each column j divided by n_j ^ b,   each row cut to its largest and made of length 1

with R (n_users, n_items) the weights of what was observed and n_u, n_j its row and column sums. What people with a long
history have in common says less (a), and so does what everybody takes up (b). A user's scores are the sum of the rows
of their history's items, so a new or changed history needs no training, and each score is a sum over the history.

The weights of the users are those of Random-walk methods (Cooper et al., "Random Walks in Recommender Systems: Exact
Computation and Simulations", WWW 2014, RP3-beta: Paudel et al., TiiS 2016), the cut those of neighbourhood models
(Deshpande, Karypis, "Item-based Top-N Recommendation Algorithms", TOIS 2004).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml.linear import LinearScorer, check_weights

Floats = NDArray[np.float32]

_BLOCK = 1 << 24  # products of pairs in memory at a time, about


@dataclass(frozen=True)
class ItemGraphConfig:
    """`user_exponent` a, `popularity_exponent` b; each item keeps its `neighbours` strongest others."""

    user_exponent: float = 0.6
    popularity_exponent: float = 0.3
    neighbours: int = 250

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise ValueError(f"neighbours must be at least 1, not {self.neighbours}.")
        if not (np.isfinite(self.user_exponent) and np.isfinite(self.popularity_exponent)):
            raise ValueError("The exponents must be finite.")


def fit(observed: sp.csr_matrix, config: ItemGraphConfig | None = None) -> LinearScorer:
    """Build the graph of `observed` (n_users, n_items), weights above 0. Memory is bounded by blocks of items.

    ValueError for weights that are not finite and positive.
    """
    config = config or ItemGraphConfig()
    by_user = check_weights(observed)
    of_user = power(np.asarray(by_user.sum(axis=1)).ravel(), -config.user_exponent)
    of_item = power(np.asarray(by_user.sum(axis=0)).ravel(), -config.popularity_exponent)
    weighted = sp.csr_matrix(by_user.multiply(of_user[:, None]))
    weighted = sp.csr_matrix(weighted.multiply(of_item[None, :]))
    by_item = by_user.T.tocsr()
    parts = [
        strongest(by_item[first:last] @ weighted, first, config.neighbours)
        for first, last in _blocks(by_item, weighted)
    ]
    shape = (by_user.shape[1], by_user.shape[1])
    return LinearScorer(sp.csr_matrix(sp.vstack(parts, format="csr") if parts else shape, dtype=np.float32))


def power(sums: NDArray[np.number], exponent: float) -> Floats:
    """`sums` to the `exponent`, and 0 for 0."""
    return np.power(sums, exponent, out=np.zeros(len(sums), np.float64), where=sums > 0).astype(np.float32)


def _blocks(by_item: sp.csr_matrix, by_user: sp.csr_matrix) -> list[tuple[int, int]]:
    """Runs of items whose rows take about _BLOCK products each."""
    work = np.concatenate([[0], np.cumsum(by_item @ np.diff(by_user.indptr).astype(np.float64))])
    edges = np.searchsorted(work, np.arange(0, work[-1] + _BLOCK, _BLOCK)[1:], side="left")
    edges = np.unique(np.concatenate([[0], np.minimum(edges, by_item.shape[0]), [by_item.shape[0]]]))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def strongest(block: sp.csr_matrix, first: int, neighbours: int) -> sp.csr_matrix:
    """The `neighbours` largest entries above 0 of each row of `block` (n_rows, n_items) but its own item's, made
    of length 1. Row 0 is that of the item `first`.
    """
    rows = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
    block.data[block.indices == rows + first] = 0
    data, indices, indptr = [], [], [0]
    for start, end in zip(block.indptr[:-1].tolist(), block.indptr[1:].tolist(), strict=True):
        values, columns = block.data[start:end], block.indices[start:end]
        if end - start > neighbours:
            kept = np.argpartition(-values, neighbours - 1)[:neighbours]
            values, columns = values[kept], columns[kept]
        positive = values > 0
        values, columns = values[positive], columns[positive]
        order = np.argsort(columns)
        length = np.linalg.norm(values)
        data.append(values[order] / length if length else values)
        indices.append(columns[order])
        indptr.append(indptr[-1] + len(values))
    return sp.csr_matrix(
        (np.concatenate(data or [[]]).astype(np.float32), np.concatenate(indices or [[]]).astype(np.int32), indptr),
        shape=block.shape,
    )
