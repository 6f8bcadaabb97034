"""Deal ids into weighted buckets by a hash: the same id and salt always give the same bucket, with nothing stored.

A salted cryptographic hash deals two experiments independently of each other (Kohavi, Tang & Xu, "Trustworthy Online
Controlled Experiments", 2020, chapter 4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def fractions(salt: str, ids: Sequence[int]) -> NDArray[np.float64]:
    """One number in [0, 1) per id: the first 53 bits of sha256("salt:id"), divided by 2^53. Shape (len(ids),)."""
    digests = (hashlib.sha256(f"{salt}:{one}".encode()).digest() for one in ids)
    return np.fromiter((int.from_bytes(digest[:8], "big") >> 11 for digest in digests), dtype=np.float64) / 2.0**53


def choose(where: NDArray[np.float64], weights: Sequence[float]) -> NDArray[np.intp]:
    """The index of the bucket in which each fraction falls, each bucket as wide as its share of `weights`.

    `where` has shape (n,) with values in [0, 1), as has the answer. A bucket of weight 0 is never chosen. Raises
    ValueError where a weight is negative or not finite, or where none is above 0.
    """
    shares = np.asarray(weights, dtype=np.float64)
    if shares.ndim != 1 or not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() <= 0:
        raise ValueError(f"Weights must be finite and not negative, with at least one above 0, not {list(weights)!r}.")
    edges = np.cumsum(shares)
    # Rounding may carry a fraction just below 1 to the last edge, behind which there is no bucket.
    last = int(np.flatnonzero(shares)[-1])
    return np.minimum(np.searchsorted(edges, where * edges[-1], side="right"), last)
