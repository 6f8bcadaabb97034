"""What lists are like beyond being right: coverage, novelty, diversity, popularity bias, calibration.

Every function takes `ranked` (n_users, k), the item indices recommended to each user (-1: none). Answers per user are
NaN where a list or a history is too short to say anything; `ml.metrics.summarise` leaves those out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.special import rel_entr

from ml.vectors import unit_rows

Floats = NDArray[np.float64]


def catalogue_coverage(ranked: NDArray[np.integer], n_items: int) -> float:
    """Share of the catalogue's `n_items` that was recommended to anybody.

    Herlocker et al., "Evaluating Collaborative Filtering Recommender Systems" (TOIS 2004). ValueError for an empty
    catalogue, or an item that is not in it.
    """
    if n_items < 1:
        raise ValueError(f"The catalogue must hold at least one item, not {n_items}.")
    return float(len(np.unique(_lists(ranked, n_items).indices)) / n_items)


def novelty(ranked: NDArray[np.integer], users_per_item: ArrayLike, n_users: int) -> Floats:
    """Mean self-information of each list, in bits, (n_users,): -log2 of the share of all `n_users` who took an item.

    An item that nobody took counts as taken by one user, so that it is the most novel and still finite. Zhou et al.,
    "Solving the apparent diversity-accuracy dilemma of recommender systems" (PNAS 2010). ValueError where
    `users_per_item` (n_items,) is negative, not finite, or above `n_users`.
    """
    counts = _popularity(users_per_item)
    if n_users < 1 or counts.max(initial=0) > n_users:
        raise ValueError(f"No item can be taken by more users than there are ({n_users}, at least 1).")
    return _means(_lists(ranked, len(counts)), -np.log2(np.maximum(counts, 1) / n_users))


def intra_list_diversity(ranked: NDArray[np.integer], vectors: NDArray[np.floating]) -> Floats:
    """Mean of 1 - cosine over all pairs in each list, (n_users,), NaN below two items; `vectors` is (n_items, d).

    A zero vector resembles nothing: its cosines are 0. The cosines of all pairs sum to (|s|^2 - sum of |v|^2) / 2 with
    s the sum of the unit vectors v, so no pair is looked at. Smyth, McClave, "Similarity vs. Diversity" (ICCBR 2001);
    Ziegler et al., "Improving Recommendation Lists Through Topic Diversification" (WWW 2005). ValueError for vectors
    that are not finite.
    """
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError("vectors must be finite, one row for each item.")
    units = unit_rows(vectors.astype(np.float64))
    lists = _lists(ranked, len(units))
    together = np.square(lists @ units).sum(axis=1) - lists @ units.any(axis=1).astype(np.float64)
    sizes = _sizes(lists)
    return 1 - _divide(together, sizes * (sizes - 1))


def average_popularity(ranked: NDArray[np.integer], popularity: ArrayLike) -> Floats:
    """Mean `popularity` (n_items,) of each list, (n_users,); its mean over users is ARP.

    Yin et al., "Challenging the Long Tail Recommendation" (VLDB 2012). ValueError where popularity is negative or not
    finite.
    """
    values = _popularity(popularity)
    return _means(_lists(ranked, len(values)), values)


@dataclass(frozen=True)
class PopularityBias:
    """Average popularity of what was `recommended` and of the users' `history`, and the `lift` from one to the other:
    0.5 where lists are half again as popular as what their users take by themselves. NaN where there is nothing."""

    recommended: float
    history: float
    lift: float


def popularity_bias(ranked: NDArray[np.integer], history: sp.csr_matrix, popularity: ArrayLike) -> PopularityBias:
    """The popularity lift over the users who have both a list and a history (nonzero entries, (n_users, n_items)).

    Abdollahpouri et al., "The Connection Between Popularity Bias, Calibration, and Fairness in Recommendation"
    (RecSys 2020). ValueError for mismatched shapes, or where popularity is negative or not finite.
    """
    values = _popularity(popularity)
    _check_history(history, len(ranked), len(values))
    recommended = _means(_lists(ranked, len(values)), values)
    taken = _means(sp.csr_matrix(history != 0, dtype=np.float64), values)
    both = ~np.isnan(recommended) & ~np.isnan(taken)
    if not both.any():
        return PopularityBias(math.nan, math.nan, math.nan)
    listed, before = float(recommended[both].mean()), float(taken[both].mean())
    return PopularityBias(listed, before, (listed - before) / before if before > 0 else math.nan)


def calibration(
    ranked: NDArray[np.integer],
    history: sp.csr_matrix,
    categories: sp.csr_matrix | NDArray[np.floating],
    smoothing: float = 0.01,
) -> Floats:
    """How far the categories of each list are from those of its user's history, (n_users,), in nats; 0 is calibrated.

    KL(p || (1 - a) q + a p) with p the history's distribution (`history` (n_users, n_items) holds weights), q the
    list's, and a the `smoothing` that keeps it finite, at most ln(1 / a). An item shares its weight among its
    `categories` (n_items, n_categories) in proportion; an item without any counts for nothing. Steck, "Calibrated
    Recommendations" (RecSys 2018). ValueError for mismatched shapes, weights that are negative or not finite, or a
    smoothing outside of (0, 1).
    """
    if not 0 < smoothing < 1:
        raise ValueError(f"smoothing must lie between 0 and 1, not {smoothing}.")
    shared = sp.csr_matrix(categories, dtype=np.float64)
    _check_history(history, len(ranked), shared.shape[0])
    for name, weights in (("history", history.data), ("categories", shared.data)):
        if not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise ValueError(f"The weights of {name} must be finite and not negative.")
    totals = _sizes(shared)
    shared = sp.diags(np.divide(1, totals, out=np.zeros_like(totals), where=totals > 0)) @ shared
    wanted = _distributions(history.astype(np.float64) @ shared)
    listed = _distributions(_lists(ranked, shared.shape[0]) @ shared)
    unknown = np.isnan(wanted).any(axis=1) | np.isnan(listed).any(axis=1)
    divergence = rel_entr(wanted, (1 - smoothing) * listed + smoothing * wanted).sum(axis=1)
    # Rounding may carry the divergence of equal distributions just below 0.
    return np.where(unknown, np.nan, np.maximum(divergence, 0.0))


def _lists(ranked: NDArray[np.integer], n_items: int) -> sp.csr_matrix:
    """How often each user's list holds each item, (n_users, n_items)."""
    if ranked.ndim != 2 or ranked.max(initial=-1) >= n_items:
        raise ValueError(f"ranked must be (n_users, k) indices of the {n_items} items.")
    given = ranked >= 0
    users = np.nonzero(given)[0]
    return sp.csr_matrix((np.ones(len(users)), (users, ranked[given])), shape=(len(ranked), n_items))


def _check_history(history: sp.csr_matrix, n_users: int, n_items: int) -> None:
    if history.shape != (n_users, n_items):
        raise ValueError(f"The history is {history.shape} for {n_users} lists and {n_items} items.")


def _popularity(values: ArrayLike) -> Floats:
    popularity = np.asarray(values, dtype=np.float64)
    if popularity.ndim != 1 or not (np.isfinite(popularity).all() and (popularity >= 0).all()):
        raise ValueError("Popularity must be one finite number for each item, none below 0.")
    return popularity


def _distributions(weights: sp.csr_matrix) -> Floats:
    dense = np.asarray(weights.todense(), dtype=np.float64)
    return np.asarray(_divide(dense.T, dense.sum(axis=1)).T)


def _means(lists: sp.csr_matrix, values: Floats) -> Floats:
    return _divide(lists @ values, _sizes(lists))


def _sizes(lists: sp.csr_matrix) -> Floats:
    return np.asarray(lists.sum(axis=1), dtype=np.float64).ravel()


def _divide(sums: Floats, counts: Floats) -> Floats:
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
