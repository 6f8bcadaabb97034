"""The statistics of controlled experiments: what a treatment changed, how sure that is, and whether to trust it.

Effects are treatment less control. Means and ratios are compared by their `Moments`, which a database can compute;
see each function for its formula and source, and Kohavi, Tang, Xu, "Trustworthy Online Controlled Experiments" (2020)
for when to use which.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, ndtr, stdtr, stdtrit

from ml.metrics import Interval, normal_interval, normal_quantile

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """The `difference` (treatment less control), its standard `error` and `interval`, and the two-sided `p_value` of no
    difference.
    """

    difference: float
    error: float
    p_value: float
    interval: Interval


@dataclass(frozen=True)
class Moments:
    """The `count` (at least 2), `mean` and unbiased `variance` of one variant's units."""

    count: int
    mean: float
    variance: float

    def __post_init__(self) -> None:
        if self.count < 2:
            raise ValueError(f"A variance needs at least 2 units, not {self.count}.")
        if not (math.isfinite(self.mean) and math.isfinite(self.variance) and self.variance >= 0):
            raise ValueError("The mean must be finite, and the variance finite and not negative.")

    @property
    def squared_error(self) -> float:
        """The variance of the mean."""
        return self.variance / self.count


@dataclass(frozen=True)
class Proportion:
    """`successes` out of `trials`, the trials being the units that were dealt to variants."""

    successes: int
    trials: int

    def __post_init__(self) -> None:
        if not (self.trials > 0 and 0 <= self.successes <= self.trials):
            raise ValueError(f"{self.successes} of {self.trials} is no proportion.")

    @property
    def rate(self) -> float:
        return self.successes / self.trials

    def score_interval(self, confidence: float = 0.95) -> Interval:
        """Wilson's interval of the rate, which stays within [0, 1] and holds for few successes (JASA 1927)."""
        z = normal_quantile(confidence)
        spread = z * math.sqrt(self.rate * (1 - self.rate) / self.trials + z**2 / (4 * self.trials**2))
        scale = 1 + z**2 / self.trials
        middle = self.rate + z**2 / (2 * self.trials)
        return Interval(max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale))


def moments(values: ArrayLike) -> Moments:
    """The moments of one number for each unit, (n,). ValueError for fewer than 2, or values that are not finite."""
    (given,) = _columns(values)
    if np.ptp(given) == 0:
        return Moments(len(given), float(given[0]), 0.0)
    return Moments(len(given), float(given.mean()), float(given.var(ddof=1)))


def ratio_moments(numerators: ArrayLike, denominators: ArrayLike) -> Moments:
    """The moments of a ratio of sums (clicks per impression) whose units are users, with each user's sums, (n,).

    By the delta method each user counts as (x - R y) / mean of y around the ratio R: Deng, Knoblich, Lu, "Applying the
    Delta Method in Metric Analytics" (KDD 2018). With the impressions themselves for units the error would be too
    small. ValueError for shapes that differ, values that are not finite, or denominators that are negative or all 0.
    """
    above, below = _columns(numerators, denominators)
    if (below < 0).any() or not below.sum() > 0:
        raise ValueError("Denominators must not be negative, and not all of them 0.")
    ratio = above.sum() / below.sum()
    residuals = (above - ratio * below) / below.mean()
    return Moments(len(above), float(ratio), float(residuals.var(ddof=1)))


def compare_proportions(control: Proportion, treatment: Proportion, confidence: float = 0.95) -> Effect:
    """The two-proportion z-test with the pooled rate, and Newcombe's interval of the difference.

    The interval is made of both score intervals (Newcombe, "Interval estimation for the difference between independent
    proportions", Statistics in Medicine 1998, method 10), for the normal one is too narrow for few successes.
    """
    difference = treatment.rate - control.rate
    pooled = (control.successes + treatment.successes) / (control.trials + treatment.trials)
    error = math.sqrt(pooled * (1 - pooled) * (1 / control.trials + 1 / treatment.trials))
    before, after = control.score_interval(confidence), treatment.score_interval(confidence)
    low = difference - math.hypot(treatment.rate - after.low, before.high - control.rate)
    high = difference + math.hypot(after.high - treatment.rate, control.rate - before.low)
    return Effect(difference, error, _two_sided_p(difference, error), Interval(low, high))


def compare_means(control: Moments, treatment: Moments, confidence: float = 0.95) -> Effect:
    """Welch's t-test: variances may differ (Welch, Biometrika 1947). ValueError for a confidence outside of (0, 1)."""
    difference, error = _difference(control, treatment)
    normal = normal_interval(difference, error, confidence)
    if error == 0:
        return Effect(difference, error, _two_sided_p(difference, error), normal)
    shares = [each.squared_error / error**2 for each in (control, treatment)]
    freedom = 1 / (shares[0] ** 2 / (control.count - 1) + shares[1] ** 2 / (treatment.count - 1))
    margin = float(stdtrit(freedom, 0.5 + confidence / 2)) * error
    p_value = float(2 * stdtr(freedom, -abs(difference) / error))
    return Effect(difference, error, p_value, Interval(difference - margin, difference + margin))


def compare_ratios(control: Moments, treatment: Moments, confidence: float = 0.95) -> Effect:
    """The z-test of two ratios by their `ratio_moments`. ValueError for a confidence outside of (0, 1)."""
    difference, error = _difference(control, treatment)
    interval = normal_interval(difference, error, confidence)
    return Effect(difference, error, _two_sided_p(difference, error), interval)


@dataclass(frozen=True)
class Adjustment:
    """`values` (n,) after CUPED, with the same mean; `theta`, and the share of the variance that is gone."""

    values: Floats
    theta: float
    variance_reduction: float


def cuped(values: ArrayLike, covariate: ArrayLike) -> Adjustment:
    """Take out of `values` (n,) what a `covariate` (n,) from before the experiment explains: y - theta (x - mean of x).

    Give the units of all variants at once, so that the same theta = cov(x, y) / var(x) adjusts all, and compare the
    adjusted values. Deng, Xu, Kohavi, Walker, "Improving the Sensitivity of Online Controlled Experiments by Utilizing
    Pre-Experiment Data" (WSDM 2013). A constant covariate changes nothing. ValueError for fewer than 2 units, shapes
    that differ, or values that are not finite.
    """
    outcome, before = _columns(values, covariate)
    centred = before - before.mean()
    spread, variance = centred @ centred, outcome.var()
    # The mean of equal numbers may be off by rounding, and a slope through that would be noise.
    if np.ptp(before) == 0 or np.ptp(outcome) == 0 or spread == 0 or variance == 0:
        return Adjustment(outcome.copy(), 0.0, 0.0)
    theta = float(centred @ (outcome - outcome.mean()) / spread)
    adjusted = outcome - theta * centred
    return Adjustment(adjusted, theta, 1 - float(adjusted.var() / variance))


@dataclass(frozen=True)
class SampleRatio:
    """What the chi-square test of the dealt units found: `expected` units of each variant, `statistic`, `p_value`."""

    expected: Floats
    statistic: float
    p_value: float

    def mismatch(self, alpha: float = 0.001) -> bool:
        """Whether units were lost or dealt wrongly, so that no result of the experiment is to be believed."""
        return self.p_value < alpha


def sample_ratio(counts: ArrayLike, weights: ArrayLike) -> SampleRatio:
    """Test whether `counts` of units (n_variants,) are dealt by `weights` (any scale).

    A variant of weight 0 must have no units. Fabijan et al., "Diagnosing Sample Ratio Mismatch in Online Controlled
    Experiments" (KDD 2019), whose threshold is strict because the test runs on every experiment. ValueError for shapes
    that differ, numbers that are negative or not finite, or weights without any above 0.
    """
    dealt, shares = np.asarray(counts, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if dealt.shape != shares.shape or dealt.ndim != 1:
        raise ValueError("counts and weights must be of one dimension and the same length.")
    if not (np.isfinite(dealt).all() and (dealt >= 0).all() and np.isfinite(shares).all() and (shares >= 0).all()):
        raise ValueError("counts and weights must be finite and not negative.")
    if not shares.sum() > 0:
        raise ValueError("At least one weight must be above 0.")
    expected = dealt.sum() * shares / shares.sum()
    if dealt[shares == 0].any():
        return SampleRatio(expected, math.inf, 0.0)
    possible = expected > 0
    statistic = float((np.square(dealt - expected)[possible] / expected[possible]).sum())
    freedom = int(possible.sum()) - 1
    return SampleRatio(expected, statistic, float(chdtrc(freedom, statistic)) if freedom > 0 else 1.0)


def _difference(control: Moments, treatment: Moments) -> tuple[float, float]:
    error = math.sqrt(control.squared_error + treatment.squared_error)
    # Equal means that rounding alone tells apart would be surely different where their variance is but rounding too.
    same = math.isclose(control.mean, treatment.mean, rel_tol=1e-12)
    return 0.0 if same else treatment.mean - control.mean, error


def _two_sided_p(difference: float, error: float) -> float:
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return float(2 * ndtr(-abs(difference) / error))


def _columns(*columns: ArrayLike) -> tuple[Floats, ...]:
    """The columns as arrays of one length, at least 2, checked to be finite."""
    given = tuple(np.asarray(column, dtype=np.float64) for column in columns)
    if any(column.ndim != 1 or column.shape != given[0].shape for column in given) or given[0].size < 2:
        raise ValueError("Values must be of one dimension and the same length, at least 2.")
    if not all(np.isfinite(column).all() for column in given):
        raise ValueError("Values must be finite.")
    return given
