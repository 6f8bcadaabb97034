"""How far a distribution has moved from a reference: population stability index and Kullback-Leibler divergence.

With shares p of the reference and q of today in the same bins,

    KL(q || p) = sum of q ln(q / p)
    PSI        = sum of (q - p) ln(q / p) = KL(q || p) + KL(p || q)

Kullback, Leibler, "On Information and Sufficiency" (1951); Siddiqi, "Credit Risk Scorecards" (2006) for PSI and its
rule of thumb: below 0.1 nothing, above 0.25 a shift to act on. Small samples pass 0.1 by chance alone; `chance_psi`
says how far that goes (Yurdakul, Naranjo, "Statistical properties of the population stability index", Journal of Risk
Model Validation, 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri, rel_entr

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DriftConfig:
    """`bins` of a sample, cut at the reference's quantiles; `smoothing`: how many observations are added a bin."""

    bins: int = 10
    smoothing: float = 0.5

    def __post_init__(self) -> None:
        if self.bins < 2:
            raise ValueError(f"bins must be at least 2, not {self.bins}.")
        if not 0 <= self.smoothing < np.inf:
            raise ValueError(f"smoothing must be finite and not negative, not {self.smoothing}.")


@dataclass(frozen=True)
class Drift:
    """`psi` and `kl` (today's from the reference), in nats, and `chance`: the PSI that samples of these sizes from one
    and the same distribution stay below in 95 of 100 cases.
    """

    psi: float
    kl: float
    chance: float


def compare_samples(reference: ArrayLike, current: ArrayLike, config: DriftConfig | None = None) -> Drift:
    """The drift from a `reference` sample (n,) to a `current` one (m,).

    ValueError for samples that are empty or not finite.
    """
    config = config or DriftConfig()
    before, now = _sample(reference), _sample(current)
    edges = quantile_edges(before, config.bins)
    return compare_histograms(histogram(before, edges), histogram(now, edges), config)


def compare_histograms(reference: ArrayLike, current: ArrayLike, config: DriftConfig | None = None) -> Drift:
    """The drift between counts (n_bins,) in the same bins. Bins may be anything: categories, countries, hours.

    ValueError for counts of different shapes, negative or not finite, or a histogram without any.
    """
    before, now = _counts(reference), _counts(current)
    if before.shape != now.shape:
        raise ValueError(f"Both histograms need the same bins, not {len(before)} and {len(now)}.")
    p, q = _smoothed(before, now, (config or DriftConfig()).smoothing)
    kl = float(rel_entr(q, p).sum())
    used = int(np.count_nonzero(before + now))
    return Drift(psi=kl + float(rel_entr(p, q).sum()), kl=kl, chance=chance_psi(before.sum(), now.sum(), used))


def quantile_edges(reference: ArrayLike, bins: int = 10) -> Floats:
    """The inner edges, ascending, of `bins` bins with about equally many of `reference` (n,) in each.

    A value that alone fills a bin or more (the zeros of a count) gets a bin of its own, closed on both sides, so that
    what leaves it downwards is seen as well. ValueError for a sample that is empty or not finite.
    """
    sample = _sample(reference)
    quantiles = np.quantile(sample, np.arange(1, bins) / bins, method="inverted_cdf")
    edges, repeated = np.unique(quantiles, return_counts=True)
    heavy = edges[repeated > 1]
    return np.unique(np.concatenate([edges, np.nextafter(heavy, -np.inf)]))


def histogram(values: ArrayLike, edges: ArrayLike) -> NDArray[np.int64]:
    """How many `values` lie in each bin, (len(edges) + 1,): up to the first edge, up to the next, ..., above the last.

    ValueError for values that are empty or not finite, or edges that do not ascend.
    """
    inner = np.asarray(edges, dtype=np.float64)
    if inner.ndim != 1 or not (np.diff(inner) > 0).all():
        raise ValueError("Edges must be of one dimension and ascend.")
    places = np.searchsorted(inner, _sample(values), side="left")
    return np.bincount(places, minlength=len(inner) + 1).astype(np.int64)


def chance_psi(n: float, m: float, bins: int, confidence: float = 0.95) -> float:
    """The PSI below which samples of `n` and `m` from one distribution stay with this `confidence`.

    (1 / n + 1 / m) times the chi-square quantile with bins - 1 degrees of freedom. ValueError for sizes that are not
    positive, or a confidence outside of (0, 1).
    """
    if not (n > 0 and m > 0 and bins > 0):
        raise ValueError("Sizes and bins must be above 0.")
    if not 0 < confidence < 1:
        raise ValueError(f"The confidence must lie between 0 and 1, not {confidence}.")
    return float((1 / n + 1 / m) * chdtri(bins - 1, 1 - confidence)) if bins > 1 else 0.0


def _smoothed(before: Floats, now: Floats, smoothing: float) -> tuple[Floats, Floats]:
    """Shares of both after adding observations to each that are spread as both together are.

    Spread evenly instead, they would make two samples of very different sizes differ in bins that hardly anything is
    in.
    """
    p, q = before / before.sum(), now / now.sum()
    added = smoothing * len(p)
    pooled = added * (p + q) / 2
    return (before + pooled) / (before.sum() + added), (now + pooled) / (now.sum() + added)


def _sample(values: ArrayLike) -> Floats:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not sample.size or not np.isfinite(sample).all():
        raise ValueError("A sample must hold at least one value of one dimension, all of them finite.")
    return sample


def _counts(values: ArrayLike) -> Floats:
    counts = np.asarray(values, dtype=np.float64)
    if counts.ndim != 1 or not (np.isfinite(counts).all() and (counts >= 0).all()) or not counts.sum() > 0:
        raise ValueError("A histogram must hold finite counts of one dimension, none below 0 and not all of them 0.")
    return counts
