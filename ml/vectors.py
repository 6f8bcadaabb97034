"""Vectors by rows."""

from __future__ import annotations

from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

Float = TypeVar("Float", bound=np.floating)


@overload
def unit_rows(rows: NDArray[Float], shortest: float = 0.0) -> NDArray[Float]: ...
@overload
def unit_rows(rows: NDArray[np.integer], shortest: float = 0.0) -> NDArray[np.float32]: ...
def unit_rows(rows: NDArray[Any], shortest: float = 0.0) -> NDArray[Any]:
    """`rows` (n, d), each divided by its length, in their own precision (float32 for whole numbers); a row no longer
    than `shortest` is zero. ValueError for numbers that are not finite.

    Dividing by the largest number first keeps the squares of very large and very small ones in range.
    """
    wide = rows.astype(np.float64)
    largest = np.abs(wide).max(axis=1, keepdims=True, initial=0.0)
    if not np.isfinite(largest).all():
        raise ValueError("Only vectors of finite numbers have a length.")
    scaled = np.divide(wide, largest, out=np.zeros_like(wide), where=largest > 0)
    length = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))[:, None]
    units = np.divide(scaled, length, out=np.zeros_like(wide), where=length * largest > shortest)
    return units.astype(rows.dtype if np.issubdtype(rows.dtype, np.floating) else np.float32)
