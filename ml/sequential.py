"""Tests that hold at every look: an experiment may be looked at any number of times, and stopped at any of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ConfidenceSequence:
    """For each look (n_looks,): the always-valid `p_values`, which only fall, and the interval from `low` to `high`,
    which only narrows. It is empty (low above high) where looks contradict each other: the effect itself has changed.
    """

    p_values: Floats
    low: Floats
    high: Floats


def always_valid(
    differences: ArrayLike, squared_errors: ArrayLike, mixture_variance: float, confidence: float = 0.95
) -> ConfidenceSequence:
    """p-values and intervals that hold at all looks at once, so that one may stop at any of them.

    Both arrays are (n_looks,), in order: the difference of all units so far, and the variance V of that difference. The
    mixture sequential probability ratio test, with effects of variance T (`mixture_variance`) as alternatives, has

        likelihood ratio  L = sqrt(V / (V + T)) exp(T d^2 / (2 V (V + T)))
        p-value             = the smallest 1 / L so far
        interval            = d ± sqrt(V (V + T) / T (2 ln(1 / alpha) + ln((V + T) / V))), all so far intersected

    Johari, Koomen, Pekelis, Walsh, "Peeking at A/B Tests" (KDD 2017). Any T is valid unless the results chose it, and
    `tightest_mixture` gives a good one. V is an estimate, so do not look before some hundred units are in each variant.
    A look with V = 0 says nothing. ValueError for shapes that differ, values that are not finite, a V below 0, a T that
    is not positive, or a confidence outside of (0, 1).
    """
    found, spread = np.asarray(differences, dtype=np.float64), np.asarray(squared_errors, dtype=np.float64)
    if found.shape != spread.shape or found.ndim != 1:
        raise ValueError("differences and squared_errors must be of one dimension and the same length.")
    if not (np.isfinite(found).all() and np.isfinite(spread).all() and (spread >= 0).all()):
        raise ValueError("differences must be finite, and squared_errors finite and not negative.")
    if not 0 < mixture_variance < math.inf:
        raise ValueError(f"mixture_variance must be finite and above 0, not {mixture_variance}.")
    doubt = _doubt(confidence)
    known = spread > 0
    d, v = found[known], spread[known]
    log_ratio = np.zeros(found.shape)
    log_ratio[known] = (mixture_variance * d**2 / (v * (v + mixture_variance)) - np.log1p(mixture_variance / v)) / 2
    margin = np.full(found.shape, math.inf)
    margin[known] = np.sqrt(v * (1 + v / mixture_variance) * (2 * doubt + np.log1p(mixture_variance / v)))
    return ConfidenceSequence(
        p_values=np.minimum.accumulate(np.exp(-np.maximum(log_ratio, 0.0))),
        low=np.maximum.accumulate(found - margin),
        high=np.minimum.accumulate(found + margin),
    )


def tightest_mixture(squared_error: float, confidence: float = 0.95) -> float:
    """The mixture variance with the narrowest interval at the look where the difference has variance `squared_error`,
    such as the end that is planned.

    With x = T / V, the width is least where x = 2 ln(1 / alpha) + ln(1 + x): Howard, Ramdas, McAuliffe, Sekhon,
    "Time-uniform, nonparametric, nonasymptotic confidence sequences" (Annals of Statistics 2021).
    ValueError for a variance that is not positive, or a confidence outside of (0, 1).
    """
    if not 0 < squared_error < math.inf:
        raise ValueError(f"squared_error must be finite and above 0, not {squared_error}.")
    doubt = _doubt(confidence)
    ratio = 2 * doubt + 1
    for _ in range(60):
        ratio = 2 * doubt + math.log1p(ratio)
    return squared_error * ratio


def _doubt(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"The confidence must lie between 0 and 1, not {confidence}.")
    return -math.log1p(-confidence)
