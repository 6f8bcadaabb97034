"""Trending items of each region: how much is asked for now, and how much more than one would expect.

Regions are a forest, given as the parent of each. With c and b the recent and the baseline counts of an item in a
region and all below it, C and B their sums over items, w and a two weights, and "up" the same quantity of the parent:

    share    p = (c + w p_up) / (C + w)        at a root, p_up = 1 / n_items
    usual    q = (b + w q_up) / (B + w)        likewise
    growth   g = (c + a g_up) / (C q + a)      at a root, g_up = 1
    surprise z = 2 (sqrt(c + 3/8) - sqrt(C q + 3/8))
    score      = p^(1 - v) g^v

A region with few events so borrows from its parent, and one with none has its parent's scores. C q is the count
expected if only the region's traffic had changed, so a busy hour makes nothing trend. The share is MacKay, Peto, "A
hierarchical Dirichlet language model" (Natural Language Engineering, 1995). The growth is the mean of a gamma-Poisson
posterior: DuMouchel, "Bayesian Data Mining in Large Frequency Tables" (The American Statistician, 1999). The surprise
has a variance of about 1 at any count: Anscombe, "The transformation of Poisson, binomial and negative-binomial data"
(Biometrika, 1948).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.decay import recency_weights

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class TrendingConfig:
    """`share_weight` w, in events of a region; `growth_weight` a, in expected events of an item; `growth_exponent` v,
    from 0 (volume alone) to 1 (growth alone)."""

    share_weight: float = 50.0
    growth_weight: float = 5.0
    growth_exponent: float = 0.5

    def __post_init__(self) -> None:
        if not (0 < self.share_weight < math.inf and 0 < self.growth_weight < math.inf):
            raise ValueError("share_weight and growth_weight must be positive and finite.")
        if not 0 <= self.growth_exponent <= 1:
            raise ValueError(f"growth_exponent must lie between 0 and 1, not {self.growth_exponent}.")


@dataclass(frozen=True)
class Trending:
    """What each item is worth in each region, all (n_regions, n_items).

    `source` is the region whose own events make up the largest part of the item's share: the region itself, or the
    ancestor it borrows from; -1 for an item without recent events in any of them.
    """

    score: Floats
    share: Floats
    growth: Floats
    surprise: Floats
    source: Indices


@dataclass(frozen=True)
class TrendingItems:
    """Item indices, best first, with the `score` of each and the region it comes from (`source`); all of one length."""

    items: Indices
    score: Floats
    source: Indices


def windowed_counts(
    regions: ArrayLike, items: ArrayLike, ages: ArrayLike, window: tuple[float, float], shape: tuple[int, int]
) -> Floats:
    """How many events of each region and item, `shape` (n_regions, n_items), are of an age in [start, end).

    `regions`, `items` and `ages` have one entry each per event; `window` is in the unit of the ages. ValueError for an
    empty window, arrays of different lengths, ages that are not finite, or an index outside of `shape`.
    """
    start, end = window
    if not start < end:
        raise ValueError(f"The window must end after its start, not be [{start}, {end}).")
    known = _finite_ages(ages)
    return _counts(regions, items, ((known >= start) & (known < end)).astype(np.float64), shape)


def decayed_counts(
    regions: ArrayLike, items: ArrayLike, ages: ArrayLike, half_life: float, shape: tuple[int, int]
) -> Floats:
    """Events of each region and item, `shape` (n_regions, n_items), each worth half as much for every half-life of age.

    ValueError as in `windowed_counts`, and for a half-life that is not positive.
    """
    return _counts(regions, items, recency_weights(_finite_ages(ages), half_life).astype(np.float64), shape)


def counts_of_heats(heats: ArrayLike, now: float, half_life: float) -> Floats:
    """The decayed counts 2^(heat - now / half_life) of heats as kept by `ml.decay`; -inf counts nothing."""
    if not half_life > 0:
        raise ValueError(f"The half-life must be positive, not {half_life}.")
    return np.asarray(np.exp2(np.asarray(heats, dtype=np.float64) - now / half_life))


def levels(parents: ArrayLike) -> list[Indices]:
    """The regions of each depth, roots first. `parents` (n_regions,) holds the parent of each region, -1 for a root.

    ValueError for a parent that does not exist, or a cycle.
    """
    above = np.asarray(parents)
    if above.ndim != 1 or (above.size and not np.issubdtype(above.dtype, np.integer)):
        raise ValueError("parents must be integers in one dimension.")
    if above.size and not (above.min() >= -1 and above.max() < above.size):
        raise ValueError(f"Parents must be -1 or lie between 0 and {above.size - 1}.")
    depth, jump = (above >= 0).astype(np.int64), above.astype(np.int64)
    for _ in range(above.size.bit_length()):  # each round doubles how far the jumps reach
        moving = np.flatnonzero(jump >= 0)
        target = jump[moving]
        depth[moving] += depth[target]
        jump[moving] = jump[target]
    if (jump >= 0).any():
        raise ValueError(f"Region {int(np.argmax(jump >= 0))} has a cycle among its ancestors.")
    return [np.flatnonzero(depth == level) for level in range(int(depth.max()) + 1)] if depth.size else []


def trending(recent: ArrayLike, baseline: ArrayLike, parents: ArrayLike, config: TrendingConfig) -> Trending:
    """Score every item in every region, (n_regions, n_items).

    `recent` and `baseline` count the events of each region itself, without those of its children: windowed or decayed,
    the baseline over a longer time, best ending where the recent window starts. Everything is dense, so leave out items
    without recent events. ValueError for counts that are negative or not finite, and for shapes that do not match.
    """
    regions = levels(parents)
    above = np.asarray(parents, dtype=np.int64)
    counts = _rolled_up(_checked(recent, above.size, "recent"), regions, above)
    usual_counts = _rolled_up(_checked(baseline, above.size, "baseline"), regions, above)
    if counts.shape != usual_counts.shape:
        raise ValueError(f"recent has the shape {counts.shape}, baseline {usual_counts.shape}.")
    weight = config.share_weight
    share = _shrunk(counts, counts.sum(axis=1), weight, 1 / max(counts.shape[1], 1), regions, above)
    usual = _shrunk(usual_counts, usual_counts.sum(axis=1), weight, 1 / max(counts.shape[1], 1), regions, above)
    expected = counts.sum(axis=1, keepdims=True) * usual
    growth = _shrunk(counts, expected, config.growth_weight, 1.0, regions, above)
    score = share ** (1 - config.growth_exponent) * growth**config.growth_exponent
    return Trending(score, share, growth, surprise(counts, expected), _sources(counts, weight, regions, above))


def surprise(counts: Floats, expected: Floats) -> Floats:
    """By how many standard deviations Poisson counts exceed what was expected; below 0 where they fall short."""
    return np.asarray(2 * (np.sqrt(counts + 0.375) - np.sqrt(expected + 0.375)))


def top_of_region(scored: Trending, region: int, k: int, minimum_surprise: float = -math.inf) -> TrendingItems:
    """The `k` best items of a region, ties by index, fewer where there are not as many.

    Only items with recent events, whose `surprise` where their score comes from is at least `minimum_surprise`.
    ValueError for a region that does not exist, or a negative k.
    """
    if not 0 <= region < len(scored.score) or k < 0:
        raise ValueError(f"There must be a region {region}, and k be 0 or more, not {k}.")
    source = scored.source[region]
    items = np.flatnonzero(source >= 0)
    items = items[scored.surprise[source[items], items] >= minimum_surprise]
    items = items[np.argsort(-scored.score[region, items], kind="stable")[:k]]
    return TrendingItems(items, scored.score[region, items], source[items])


def _finite_ages(ages: ArrayLike) -> Floats:
    known = np.asarray(ages, dtype=np.float64)
    if not np.isfinite(known).all():
        raise ValueError("Ages must be finite.")
    return known


def _counts(regions: ArrayLike, items: ArrayLike, weights: Floats, shape: tuple[int, int]) -> Floats:
    rows, columns = np.asarray(regions, dtype=np.int64), np.asarray(items, dtype=np.int64)
    if not rows.shape == columns.shape == weights.shape or rows.ndim != 1:
        raise ValueError("regions, items and ages must be of one dimension and the same length.")
    if rows.size and (min(rows.min(), columns.min()) < 0 or rows.max() >= shape[0] or columns.max() >= shape[1]):
        raise ValueError(f"Regions and items must lie within {shape}.")
    flat = np.bincount(rows * shape[1] + columns, weights, shape[0] * shape[1])
    return flat.astype(np.float64).reshape(shape)


def _checked(counts: ArrayLike, n_regions: int, name: str) -> Floats:
    known = np.asarray(counts, dtype=np.float64)
    if known.ndim != 2 or len(known) != n_regions:
        raise ValueError(f"{name} must have a row for each of the {n_regions} regions, not the shape {known.shape}.")
    if not np.isfinite(known).all() or (known < 0).any():
        raise ValueError(f"{name} must be finite and not negative.")
    return known


def _rolled_up(counts: Floats, regions: list[Indices], parents: Indices) -> Floats:
    total = counts.copy()
    for rows in reversed(regions[1:]):
        np.add.at(total, parents[rows], total[rows])
    return total


def _shrunk(
    counts: Floats, exposure: Floats, weight: float, root: float, regions: list[Indices], parents: Indices
) -> Floats:
    """(counts + weight * that of the parent) / (exposure + weight), from the roots down."""
    per_item = exposure if exposure.ndim == 2 else exposure[:, None]
    answer = np.empty_like(counts)
    for depth, rows in enumerate(regions):
        prior = answer[parents[rows]] if depth else root
        answer[rows] = (counts[rows] + weight * prior) / (per_item[rows] + weight)
    return answer


def _sources(counts: Floats, weight: float, regions: list[Indices], parents: Indices) -> Indices:
    """A region's share is a sum of one part for each region above it: its own, and the parent's times w / (C + w)."""
    total = counts.sum(axis=1, keepdims=True) + weight
    largest, source = counts / total, np.where(counts > 0, np.arange(len(counts))[:, None], -1)
    for rows in regions[1:]:
        borrowed = largest[parents[rows]] * (weight / total[rows])
        source[rows] = np.where(largest[rows] >= borrowed, source[rows], source[parents[rows]])
        largest[rows] = np.maximum(largest[rows], borrowed)
    return source
