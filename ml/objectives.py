"""One value of several predicted rates: what an item is worth, weighed over clicks, likes, completions and so on.

    sum      value = sum over k of w_k p_k
    product  value = product over k of p_k^w_k          (the weighted sum of logarithms)
    ranks    value = sum over k of w_k (1 - place_k) / sum of w_k

with place_k from 0 (best) to 1 (worst) by objective k alone: the count of Borda, "Mémoire sur les élections au
scrutin" (1781), which does not ask that rates be calibrated or of one scale. The first two do: a sum of rates is what
a visit is expected to bring only if each rate is a probability.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ObjectivesConfig:
    """`weights` of the objectives, 0 or more, not all 0; `minimums`, the least rate of each that an item must have
    (none if empty). For an outcome to avoid, such as a report, give the rate at which it does not happen."""

    weights: tuple[float, ...]
    minimums: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not all(0 <= weight < math.inf for weight in self.weights) or not sum(self.weights) > 0:
            raise ValueError(f"Weights must be finite and not negative, with one above 0, not {self.weights}.")
        if self.minimums and len(self.minimums) != len(self.weights):
            raise ValueError(f"{len(self.minimums)} minimums for {len(self.weights)} weights.")
        if not all(0 <= minimum < math.inf for minimum in self.minimums):
            raise ValueError(f"Minimums must be finite and not negative, not {self.minimums}.")


def weighted_sum(rates: ArrayLike, config: ObjectivesConfig) -> Floats:
    """sum of w_k p_k for each item, (n_items,), of `rates` (n_items, n_objectives); -inf for an item below a minimum.

    ValueError for rates that are negative, not finite, or of another number of objectives.
    """
    return _valued(rates, config, lambda known, weights: known @ weights)


def weighted_product(rates: ArrayLike, config: ObjectivesConfig) -> Floats:
    """product of p_k^w_k for each item, (n_items,): one rate of 0 makes it 0, unless its weight is 0.

    Arguments, -inf and ValueError as in `weighted_sum`.
    """
    return _valued(rates, config, lambda known, weights: np.prod(known**weights, axis=1))


def weighted_ranks(rates: ArrayLike, config: ObjectivesConfig) -> Floats:
    """The weighted mean of the normalised ranks, (n_items,), from 1 (best by all) to 0 (worst); ties share their mean.

    Items below a minimum are -inf, and are not counted in the ranks of the others. A single item has the value 1.
    Arguments and ValueError as in `weighted_sum`.
    """
    return _valued(rates, config, lambda known, weights: _normalised_ranks(known) @ (weights / weights.sum()))


def _valued(rates: ArrayLike, config: ObjectivesConfig, combine: Callable[[Floats, Floats], Floats]) -> Floats:
    known, weights = np.asarray(rates, dtype=np.float64), np.asarray(config.weights)
    if known.ndim != 2 or known.shape[1] != len(weights):
        raise ValueError(f"Rates must be of the shape (n_items, {len(weights)}), not {known.shape}.")
    if not np.isfinite(known).all() or (known < 0).any():
        raise ValueError("Rates must be finite and not negative.")
    allowed = (known >= np.asarray(config.minimums or 0.0)).all(axis=1)
    values = np.full(len(known), -np.inf)
    values[allowed] = combine(known[allowed], weights)
    return values


def _normalised_ranks(rates: Floats) -> Floats:
    if len(rates) < 2:
        return np.ones_like(rates)
    return np.asarray((rankdata(rates, axis=0) - 1) / (len(rates) - 1))
