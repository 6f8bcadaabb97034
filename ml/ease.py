"""EASE: the item-to-item weights that reconstruct histories best in the least squares sense, in closed form.

Minimises ||X - X B||^2 + l ||B||^2 over B with a zero diagonal. With P = (X'X + l I)^-1 the solution is
B_ij = -P_ij / P_jj off the diagonal. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (WWW 2019).

Time n_items^3 (Cholesky's triangle and its inverse, both in place), memory 12 n_items^2 bytes and little more: for
catalogues of up to some 10,000 items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from ml.linear import LinearScorer, check_weights

Floats = NDArray[np.float32]

MOST_ITEMS = 20_000
_BLOCK = 512  # items at a time


@dataclass(frozen=True)
class EaseConfig:
    """`regularisation` l: in units of co-occurrences, so larger data sets want larger ones."""

    regularisation: float = 250.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.regularisation) and self.regularisation > 0):
            raise ValueError(f"regularisation must be finite and above 0, not {self.regularisation}.")


def fit(observed: sp.csr_matrix, config: EaseConfig | None = None) -> LinearScorer:
    """The weights for `observed` (n_users, n_items), weights above 0.

    ValueError for weights that are not finite and positive, for more than MOST_ITEMS items, and where a regularisation
    is so small beside the weights that nothing can be solved.
    """
    config = config or EaseConfig()
    matrix = check_weights(observed)
    n_items = matrix.shape[1]
    if n_items > MOST_ITEMS:
        raise ValueError(f"EASE wants memory and time for {n_items:,} items that nobody has; {MOST_ITEMS:,} are most.")
    if n_items == 0:
        return LinearScorer(np.zeros((0, 0), dtype=np.float32))
    inverse = _inverse(_gram(matrix), config.regularisation)
    weights = inverse.astype(np.float32)
    del inverse
    _mirror(weights)
    weights /= -np.diag(weights).copy()
    np.fill_diagonal(weights, 0.0)
    return LinearScorer(weights)


def _gram(matrix: sp.csr_matrix) -> NDArray[np.float64]:
    """X'X, dense and by columns, as LAPACK wants it; made in blocks, as a sparse one can be larger than a dense one."""
    n_items = matrix.shape[1]
    found = np.empty((n_items, n_items), dtype=np.float64, order="F")
    by_item, by_user = matrix.T.tocsr(), matrix.tocsc()
    for start in range(0, n_items, _BLOCK):
        found[:, start : start + _BLOCK] = (by_item @ by_user[:, start : start + _BLOCK]).toarray()
    return found


def _inverse(gram: NDArray[np.float64], regularisation: float) -> NDArray[np.float64]:
    """The lower triangle of (gram + regularisation I)^-1, in the place of `gram`; what is above it is of no use."""
    gram[np.diag_indices_from(gram)] += regularisation
    triangle, failed = scipy.linalg.lapack.dpotrf(gram, lower=1, overwrite_a=1)
    if not failed:
        triangle, failed = scipy.linalg.lapack.dpotri(triangle, lower=1, overwrite_c=1)
    if failed:
        raise ValueError(f"The system cannot be solved with a regularisation of {regularisation}: take a larger one.")
    return np.asarray(triangle)


def _mirror(square: Floats) -> None:
    """Make the upper triangle that of the lower one."""
    for start in range(0, len(square), _BLOCK):
        end = start + _BLOCK
        square[start:end, end:] = square[end:, start:end].T
        corner = square[start:end, start:end]
        corner[:] = np.tril(corner) + np.tril(corner, -1).T
