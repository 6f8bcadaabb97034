"""Click rates: smoothed where impressions are few, and freed of the bias of positions.

Smoothing: rate = (clicks + w parent_rate) / (impressions + w), the mean of a Beta posterior whose prior is worth w
impressions at the parent's rate.

Position bias: P(click at position k on item i) = examination_k attractiveness_i, the position-based model (Richardson,
Dominowska, Ragno, "Predicting Clicks", WWW 2007; Chuklin, Markov, de Rijke, "Click Models for Web Search", 2015). Only
the product is known, so examination is given relative to the position that is examined most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components
from scipy.special import xlogy

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PositionModelConfig:
    """At most `iterations` of expectation and maximisation, until no examination moves by more than `tolerance`."""

    iterations: int = 2000
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        if self.iterations < 1 or not 0 <= self.tolerance < math.inf:
            raise ValueError("iterations must be at least 1, and tolerance finite and not negative.")


@dataclass(frozen=True)
class PositionModel:
    """`examination` (n_positions,), whose largest is 1; `attractiveness` (n_items,), NaN for an item never shown;
    `log_likelihood` after each iteration; whether it `converged`."""

    examination: Floats
    attractiveness: Floats
    log_likelihood: Floats
    converged: bool


def smoothed_rates(
    clicks: ArrayLike, impressions: ArrayLike, groups: Sequence[ArrayLike] = (), weight: float = 10.0
) -> list[Floats]:
    """The click rate of every item, of every group of each level, and of all: [(n_items,), (n_groups,), ..., (1,)].

    `clicks` and `impressions` are (n_items,). `groups[0]` (n_items,) holds the group of each item, say its category;
    `groups[1]` the group of each of these groups; and so on. What is over all is implied, and its rate is not smoothed
    (0 without impressions). ValueError for counts that are negative, not finite or of more clicks than impressions, a
    weight that is not positive, or groups that do not match the level below.
    """
    if not 0 < weight < math.inf:
        raise ValueError(f"The weight must be positive and finite, not {weight}.")
    summed = [_checked_counts(clicks, impressions)]
    parents = [np.asarray(level) for level in groups]
    # A group that nothing is in is known only from the level above it.
    sizes = [level.size for level in parents[1:]] + [0]
    for level, size in zip(parents, sizes[: len(parents)], strict=True):
        summed.append(_summed(summed[-1], level, size))
    total_clicks, total_impressions = summed[-1].sum(axis=1)
    rate = np.array([total_clicks / total_impressions if total_impressions else 0.0])
    rates = [rate]
    for counts, parent in zip(reversed(summed), [np.zeros(summed[-1].shape[1], int), *reversed(parents)], strict=True):
        rate = (counts[0] + weight * rate[parent]) / (counts[1] + weight)
        rates.append(rate)
    return rates[::-1]


def fit_position_model(
    positions: ArrayLike, items: ArrayLike, clicks: ArrayLike, config: PositionModelConfig
) -> PositionModel:
    """Estimate the position-based model by expectation and maximisation from a log of impressions, (n,) each.

    `positions` and `items` count from 0 (an item may be one for a query or a user), `clicks` are 0 or 1. It needs items
    that were shown at several positions: ValueError where no chain of them links all positions, or for columns that
    make no sense.
    """
    shown_at, shown, clicked = _checked_log(positions, items, clicks)
    shape = (int(shown.max()) + 1, int(shown_at.max()) + 1)
    pairs, entry = np.unique(shown * shape[1] + shown_at, return_inverse=True)
    pair_items, pair_positions = np.divmod(pairs, shape[1])
    impressions, clicked_pairs = _totals(entry, np.ones(len(entry)), len(pairs)), _totals(entry, clicked, len(pairs))
    together = sp.csr_matrix((impressions, (pair_items, pair_positions)), shape=shape)
    _require_linked((together.T @ together).toarray())
    return _expectation_maximisation(pair_items, pair_positions, impressions, clicked_pairs, shape, config)


def harvested_examination(positions: ArrayLike, clicks: ArrayLike, placements: ArrayLike) -> Floats:
    """Examination (n_positions,) from positions that were dealt by chance, with nothing assumed of the items.

    `positions` and `clicks` are (n,), one entry per impression; `placements` (n, n_positions) the logged probabilities
    with which this item could have come to each position in this request (a swap of two positions: 1/2 and 1/2). Two
    positions are compared over the impressions that could have come to both, each weighted by 1 / its probability: the
    interventional sets of Agarwal et al., "Estimating Position Bias without Intrusive Interventions" (WSDM 2019). All
    comparisons are then joined by least squares of the logarithms, weighted by the number of clicks.

    ValueError for an impression where its probability is 0, or positions that no clicks link to the others.
    """
    shown_at, _, clicked = _checked_log(positions, np.zeros(np.shape(positions), int), clicks)
    chances = np.asarray(placements, dtype=np.float64)
    if chances.ndim != 2 or len(chances) != len(shown_at) or shown_at.max() >= chances.shape[1]:
        raise ValueError("placements must have a row for each impression and a column for each position.")
    own = chances[np.arange(len(shown_at)), shown_at]
    if not ((chances >= 0).all() and (chances.sum(axis=1) <= 1 + 1e-6).all() and (own > 0).all()):
        raise ValueError("placements must be probabilities, above 0 for the position where the impression was.")
    weighted, possible = clicked / own, chances > 0
    n_positions = chances.shape[1]
    gained, squares = np.zeros((2, n_positions, n_positions))
    for position in range(n_positions):
        here = shown_at == position
        gained[position] = weighted[here] @ possible[here]
        squares[position] = weighted[here] ** 2 @ possible[here]
    return _joined(gained, squares)


def inverse_propensity_weights(positions: ArrayLike, examination: ArrayLike, largest: float = 10.0) -> Floats:
    """min(largest, 1 / examination) for the position of each click, (n,): weights that make clicks count as if every
    position were examined alike.

    Joachims, Swaminathan, Schnabel, "Unbiased Learning-to-Rank with Biased Feedback" (WSDM 2017). Clipping bounds the
    variance, and leaves positions examined less than 1 / largest with too little weight. ValueError for an examination
    outside of [0, 1], a position without one, or `largest` below 1.
    """
    known, where = np.asarray(examination, dtype=np.float64), np.asarray(positions)
    if not ((known >= 0) & (known <= 1)).all() or not 1 <= largest < math.inf:
        raise ValueError("Examination must lie between 0 and 1, and the largest weight be finite and at least 1.")
    if where.size and not (np.issubdtype(where.dtype, np.integer) and where.min() >= 0 and where.max() < known.size):
        raise ValueError(f"Positions must be integers from 0 to {known.size - 1}.")
    return np.asarray(1 / np.maximum(known, 1 / largest))[where.astype(np.int64)]


def _checked_counts(clicks: ArrayLike, impressions: ArrayLike) -> Floats:
    clicked, shown = np.asarray(clicks, dtype=np.float64), np.asarray(impressions, dtype=np.float64)
    if clicked.ndim != 1 or clicked.shape != shown.shape:
        raise ValueError("clicks and impressions must be of one dimension and the same length.")
    if not (np.isfinite(shown).all() and (clicked >= 0).all() and (clicked <= shown).all()):
        raise ValueError("There must be 0 or more clicks and as many impressions or more, all finite.")
    return np.stack([clicked, shown])


def _summed(counts: Floats, groups: NDArray[np.integer], n_groups: int) -> Floats:
    if groups.shape != counts.shape[1:] or (groups.size and not np.issubdtype(groups.dtype, np.integer)):
        raise ValueError(f"There must be one group, an integer, for each of {counts.shape[1]}, not {groups.shape}.")
    if groups.size and groups.min() < 0:
        raise ValueError("Groups must be 0 or more.")
    return np.stack([np.bincount(groups.astype(np.int64), column, n_groups) for column in counts])


def _checked_log(
    positions: ArrayLike, items: ArrayLike, clicks: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    shown_at, shown, clicked = np.asarray(positions), np.asarray(items), np.asarray(clicks, dtype=np.float64)
    if not shown_at.shape == shown.shape == clicked.shape or shown_at.ndim != 1 or not shown_at.size:
        raise ValueError("The columns of the log must be of one dimension and the same length, with an impression.")
    if not all(np.issubdtype(column.dtype, np.integer) and column.min() >= 0 for column in (shown_at, shown)):
        raise ValueError("Positions and items must be integers, 0 or more.")
    if not np.isin(clicked, (0, 1)).all():
        raise ValueError("Clicks must be 0 or 1.")
    return shown_at.astype(np.int64), shown.astype(np.int64), clicked


def _require_linked(compared: Floats) -> None:
    components, part = connected_components(compared > 0, directed=False)
    if components > 1:
        apart = int(np.argmax(part != part[0]))
        raise ValueError(f"Nothing links position {apart} to position 0, so they cannot be compared.")


def _expectation_maximisation(
    items: NDArray[np.integer],
    positions: NDArray[np.integer],
    shown: Floats,
    clicked: Floats,
    shape: tuple[int, int],
    config: PositionModelConfig,
) -> PositionModel:
    """Each entry is a pair of an item and a position, `shown` so many times and `clicked` so many."""
    shown_items, shown_positions = _totals(items, shown, shape[0]), _totals(positions, shown, shape[1])
    examination, attractiveness = np.full(shape[1], 0.5), np.full(shape[0], 0.5)
    likelihoods: list[float] = []
    moved, skipped = math.inf, shown - clicked
    while len(likelihoods) < config.iterations and moved > config.tolerance:
        examined, attracted = examination[positions], attractiveness[items]
        left = np.maximum(1 - examined * attracted, 1e-12)
        seen = clicked + skipped * examined * (1 - attracted) / left
        liked = clicked + skipped * attracted * (1 - examined) / left
        before, examination = examination, _totals(positions, seen, shape[1]) / shown_positions
        attractiveness = _ratio(_totals(items, liked, shape[0]), shown_items)
        # Only the product is known: this moves the scale, and leaves the likelihood as it is.
        scale = examination.max()
        if scale > 0:
            examination, attractiveness = examination / scale, attractiveness * scale
        moved = float(np.abs(examination - before).max())
        chance = examination[positions] * attractiveness[items]
        likelihoods.append(float(np.sum(xlogy(clicked, chance) + xlogy(skipped, np.maximum(1 - chance, 0)))))
    return PositionModel(examination, attractiveness, np.array(likelihoods), moved <= config.tolerance)


def _totals(indices: NDArray[np.integer], values: Floats, size: int) -> Floats:
    return np.bincount(indices, values, size).astype(np.float64)


def _ratio(gained: Floats, shown: Floats) -> Floats:
    return np.divide(gained, shown, out=np.full(len(gained), np.nan), where=shown > 0)


def _joined(gained: Floats, squares: Floats) -> Floats:
    """The examination whose ratios come closest to gained[k, l] / gained[l, k], for all pairs at once."""
    both = (gained > 0) & (gained.T > 0)
    np.fill_diagonal(both, val=False)
    _require_linked(both.astype(np.float64))
    # The variance of a sum's logarithm is about squares / gained^2: one over the number of clicks of equal weight.
    variance = np.divide(squares, gained**2, out=np.ones_like(gained), where=gained > 0)
    weight = np.where(both, 1 / (variance + variance.T), 0.0)
    ratio = np.log(np.where(both, gained / np.where(both, gained.T, 1.0), 1.0))
    laplacian = np.diag(weight.sum(axis=1)) - weight
    logarithm = np.linalg.lstsq(laplacian, (weight * ratio).sum(axis=1))[0]
    return np.asarray(np.exp(logarithm - logarithm.max()))
