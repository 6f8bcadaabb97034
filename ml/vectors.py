"""Vectors by rows."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Float = TypeVar("Float", bound=np.floating)


def unit_rows(rows: NDArray[Float], shortest: float = 0.0) -> NDArray[Float]:
    """`rows` (n, d), each divided by its length, in their own precision; a row no longer than `shortest` is zero.

    Dividing by the largest number first keeps the squares of very large and very small ones in range.
    """
    wide = rows.astype(np.float64)
    largest = np.abs(wide).max(axis=1, keepdims=True, initial=0.0)
    scaled = np.divide(wide, largest, out=np.zeros_like(wide), where=largest > 0)
    length = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))[:, None]
    units = np.divide(scaled, length, out=np.zeros_like(wide), where=length * largest > shortest)
    return units.astype(rows.dtype)
