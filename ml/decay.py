"""Exponential decay, as weights and as counters that never need rewriting.

A count that halves every half-life h, sum of w_i * 2^(-(now - t_i) / h), is kept as its logarithm without `now`:
heat = log2(sum of w_i * 2^(t_i / h)). Adding events is log-sum-exp in base 2; ranking by heat is ranking by the count;
the count itself is 2^(heat - now / h). This is forward decay (Cormode et al., "Forward Decay: A Practical Time Decay
Model for Streaming Systems", ICDE 2009) with an exponential.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def add_heats(first: float, second: float) -> float:
    """log2(2^first + 2^second), without overflow; -inf is the heat of nothing."""
    high, low = max(first, second), min(first, second)
    return high if low == -math.inf else high + math.log1p(2.0 ** (low - high)) / math.log(2)


def recency_weights(ages: ArrayLike, half_life: float, floor: float = 0.0) -> NDArray[np.float32]:
    """max(floor, 2^(-age / half_life)) for each age (any unit, the half-life's); ages below 0 count as 0.

    ValueError for a half-life that is not positive.
    """
    if not half_life > 0:
        raise ValueError(f"The half-life must be positive, not {half_life}.")
    weights = np.exp2(-np.maximum(np.asarray(ages, dtype=np.float64), 0.0) / half_life)
    return np.maximum(weights, floor).astype(np.float32)
