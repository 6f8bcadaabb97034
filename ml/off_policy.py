"""What another policy would have earned, from what a logging policy was seen to earn.

With reward r, the probability p that the logging policy gave the action it took, and the probability t that the target
policy gives the same action, the weight of an observation is w = t / p, and

    IPS   = sum of w r / n           unbiased, of large variance where p is small
    SNIPS = sum of w r / sum of w    slightly biased, of smaller variance, and never outside of the rewards' range

IPS is the estimator of Horvitz and Thompson (JASA 1952); the largest weights may be clipped, which trades variance for
a bias downwards where rewards are not negative (Bottou et al., "Counterfactual Reasoning and Learning Systems", JMLR
2013). SNIPS is Swaminathan, Joachims, "The Self-Normalized Estimator for Counterfactual Learning" (NeurIPS 2015).

Both need that the logging policy gave every action that the target policy may take: what was never tried cannot be
valued.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.metrics import Interval, normal_interval

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """The `value` of the target policy (mean reward of an observation) and its standard `error`, infinite where it
    rests on a single observation (or cluster). `effective` is the effective sample size, `mean_weight` should be near 1
    before clipping, and `clipped` is the share of weights that were cut.
    """

    value: float
    error: float
    effective: float
    mean_weight: float
    clipped: float

    def interval(self, confidence: float = 0.95) -> Interval:
        """The normal interval; not to be believed where `effective` is small (below some 100)."""
        return normal_interval(self.value, self.error, confidence)


@dataclass(frozen=True)
class Observations:
    """Arrays (n,): `rewards`, and the probability of each action under the `logged` policy and under the `target` one.

    No weight counts above `clip`. `clusters` (n,) names whose observation each is, where those of the same user are not
    independent; the error is then that of independent users. ValueError for shapes that differ or are empty, values
    that are not finite, `logged` outside of (0, 1], `target` outside of [0, 1], or a clip that is not positive.
    """

    rewards: ArrayLike
    logged: ArrayLike
    target: ArrayLike
    clip: float | None = None
    clusters: ArrayLike | None = None

    def __post_init__(self) -> None:
        earned, given, wanted = self._columns
        if not earned.shape == given.shape == wanted.shape or earned.ndim != 1 or not earned.size:
            raise ValueError("rewards, logged and target must be of one dimension and the same length, at least 1.")
        if not np.isfinite(earned).all():
            raise ValueError("Rewards must be finite.")
        if not ((given > 0) & (given <= 1)).all():
            raise ValueError("Logged probabilities must be above 0 and at most 1.")
        if not ((wanted >= 0) & (wanted <= 1)).all():
            raise ValueError("Target probabilities must lie between 0 and 1.")
        if self.clip is not None and not 0 < self.clip < math.inf:
            raise ValueError(f"clip must be finite and above 0, not {self.clip}.")
        if self.clusters is not None and np.shape(self.clusters) != earned.shape:
            raise ValueError(f"clusters must name one for each of {len(earned)} observations.")

    @property
    def earned(self) -> Floats:
        """The rewards (n,)."""
        return self._columns[0]

    @property
    def unclipped(self) -> Floats:
        """The weights (n,) as they would be without `clip`."""
        _, given, wanted = self._columns
        return wanted / given

    @property
    def weights(self) -> Floats:
        """The weights (n,), none above `clip`."""
        return np.minimum(self.unclipped, math.inf if self.clip is None else self.clip)

    @property
    def _columns(self) -> tuple[Floats, Floats, Floats]:
        earned, given, wanted = (
            np.asarray(each, dtype=np.float64) for each in (self.rewards, self.logged, self.target)
        )
        return earned, given, wanted


def ips(observed: Observations) -> Estimate:
    """Inverse propensity scoring."""
    earned, weights = observed.earned, observed.weights
    value = float(np.mean(weights * earned))
    return _estimate(value, (weights * earned - value) / len(earned), observed)


def snips(observed: Observations) -> Estimate:
    """Self-normalised inverse propensity scoring, with the error of the delta method.

    ValueError where the target policy gives none of the actions that were logged.
    """
    earned, weights = observed.earned, observed.weights
    total = weights.sum()
    if total == 0:
        raise ValueError("The target policy takes none of the logged actions, so they say nothing of it.")
    value = float(weights @ earned / total)
    return _estimate(value, weights * (earned - value) / total, observed)


def effective_sample_size(weights: ArrayLike) -> float:
    """(sum of w)^2 / sum of w^2: how many equally weighted observations are as good as these (Kish, "Survey Sampling",
    1965); 0 without any weight.

    ValueError for weights that are negative or not finite.
    """
    given = np.asarray(weights, dtype=np.float64)
    if not (np.isfinite(given).all() and (given >= 0).all()):
        raise ValueError("Weights must be finite and not negative.")
    largest = given.max(initial=0)
    if largest == 0:
        return 0.0
    scaled = given / largest
    return float(scaled.sum() ** 2 / np.square(scaled).sum())


def _estimate(value: float, influence: Floats, observed: Observations) -> Estimate:
    """`influence` (n,) is how far each observation moves the value; it sums to 0."""
    members = np.arange(len(influence)) if observed.clusters is None else np.asarray(observed.clusters)
    moved = np.bincount(np.unique(members, return_inverse=True)[1], influence)
    n = len(moved)
    error = math.sqrt(n / (n - 1) * np.square(moved).sum()) if n > 1 else math.inf
    weights = observed.weights
    clipped = float(np.mean(observed.unclipped > weights))
    return Estimate(value, error, effective_sample_size(weights), float(weights.mean()), clipped)
