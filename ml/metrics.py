"""Ranking metrics, per user, so that confidence intervals and paired comparisons can be made of them.

Every function takes `ranked` (n_users, k), the item indices recommended to each user, best first (-1: none), and
`relevant`, a csr matrix (n_users, n_items) whose nonzero entries are what the user really went on to; a zero that is
stored is none. Users without any are NaN. ValueError where a list names an item twice, as it would be two hits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import scipy.sparse as sp  # which takes 0.2 s to load: only trainings do

Floats = NDArray[np.float64]
Choice = TypeVar("Choice")


def hits(ranked: NDArray[np.integer], relevant: sp.csr_matrix) -> NDArray[np.bool_]:
    """Which recommendations were relevant, (n_users, k)."""
    if ranked.shape[0] != relevant.shape[0]:
        raise ValueError(f"{ranked.shape[0]} rows of recommendations for {relevant.shape[0]} users.")
    in_order = np.sort(ranked, axis=1)
    if ((in_order[:, 1:] == in_order[:, :-1]) & (in_order[:, 1:] >= 0)).any():
        raise ValueError("A list of recommendations names an item twice.")
    users = np.repeat(np.arange(ranked.shape[0]), ranked.shape[1])
    items = ranked.ravel()
    found = np.zeros(items.size, dtype=bool)
    given = items >= 0
    found[given] = np.asarray(relevant[users[given], items[given]]).ravel() != 0
    return found.reshape(ranked.shape)


def recall(ranked: NDArray[np.integer], relevant: sp.csr_matrix) -> Floats:
    """Share of the relevant items that were recommended."""
    return _per_user(hits(ranked, relevant).sum(axis=1), _counts(relevant))


def precision(ranked: NDArray[np.integer], relevant: sp.csr_matrix) -> Floats:
    """Share of the k places that hold a relevant item; an empty place (-1) holds none."""
    places = np.where(_counts(relevant) > 0, ranked.shape[1], 0)
    return _per_user(hits(ranked, relevant).sum(axis=1), places)


def average_precision(ranked: NDArray[np.integer], relevant: sp.csr_matrix) -> Floats:
    """Precision at the rank of each hit, summed, over the hits of the best list possible (min(k, relevant)).

    Its mean over users is MAP@k (Manning, Raghavan, Schütze, "Introduction to Information Retrieval", 2008, chapter 8).
    """
    found = hits(ranked, relevant)
    precisions = np.cumsum(found, axis=1) / np.arange(1, ranked.shape[1] + 1)
    return _per_user((precisions * found).sum(axis=1), np.minimum(_counts(relevant), ranked.shape[1]))


def ndcg(ranked: NDArray[np.integer], relevant: sp.csr_matrix) -> Floats:
    """Discounted gain 1 / log2(rank + 1) of the hits, over that of the best list possible (min(k, relevant) hits
    first).

    Järvelin, Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (TOIS 2002), binary gains.
    """
    return ndcg_of_hits(hits(ranked, relevant), _counts(relevant))


def ndcg_of_hits(found: NDArray[np.bool_], relevant: NDArray[np.integer]) -> Floats:
    """The same of `found` (n_users, k), which places hold a hit, and how many items are `relevant` (n_users,)."""
    discounts = 1 / np.log2(np.arange(2, found.shape[1] + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])
    return _per_user(found @ discounts, ideal[np.minimum(relevant, found.shape[1])])


def hit_rate(ranked: NDArray[np.integer], relevant: sp.csr_matrix) -> Floats:
    """1 where any recommendation was relevant, else 0."""
    return _per_user(hits(ranked, relevant).any(axis=1).astype(float), np.minimum(_counts(relevant), 1))


def reciprocal_rank(ranked: NDArray[np.integer], relevant: sp.csr_matrix) -> Floats:
    """1 / rank of the first hit, 0 without one."""
    found = hits(ranked, relevant)
    first = np.where(found.any(axis=1), 1 / (found.argmax(axis=1) + 1), 0.0)
    return _per_user(first, np.minimum(_counts(relevant), 1))


class Interval(NamedTuple):
    """From `low` to `high`, both included."""

    low: float
    high: float


def normal_interval(mean: float, error: float, confidence: float = 0.95) -> Interval:
    """mean ± z * error, with z the normal quantile that leaves (1 - confidence) / 2 on each side.

    ValueError for a confidence outside of (0, 1).
    """
    margin = normal_quantile(confidence) * error
    return Interval(mean - margin, mean + margin)


def normal_quantile(confidence: float) -> float:
    """How many standard errors to each side hold `confidence` of a normal distribution: 1.96 for 0.95."""
    if not 0 < confidence < 1:
        raise ValueError(f"The confidence must lie between 0 and 1, not {confidence}.")
    return float(NormalDist().inv_cdf(0.5 + confidence / 2))


@dataclass(frozen=True)
class Summary:
    """A mean over users and its standard error (0 for a single user)."""

    mean: float
    error: float
    users: int

    def interval(self, confidence: float = 0.95) -> Interval:
        """The normal interval of the mean; without bounds for fewer than two users, of whom nothing follows."""
        error = self.error if self.users > 1 else math.inf
        return normal_interval(self.mean, error, confidence)


def summarise(values: Floats) -> Summary:
    """The mean of `values`, NaN left out."""
    known = values[~np.isnan(values)]
    if not known.size:
        return Summary(0.0, 0.0, 0)
    error = known.std(ddof=1) / np.sqrt(known.size) if known.size > 1 else 0.0
    return Summary(float(known.mean()), float(error), int(known.size))


@dataclass(frozen=True)
class Comparison:
    """The mean `difference` (first less second) over the users of both, and its `interval`."""

    difference: Summary
    interval: Interval

    @property
    def first_wins(self) -> bool:
        """The first is better, and the interval holds no other answer."""
        return self.interval.low > 0

    @property
    def second_wins(self) -> bool:
        return self.interval.high < 0


def compare(first: Floats, second: Floats, confidence: float = 0.95) -> Comparison:
    """Compare two recommenders by one metric of the same users, each (n_users,); who is NaN in either is left out.

    Users differ more from each other than recommenders do, so the differences per user are known better than the
    difference of two means. ValueError for arrays of different shapes, or infinite values.
    """
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"Only the same users can be compared, not {first.shape} with {second.shape}.")
    if np.isinf(first).any() or np.isinf(second).any():
        raise ValueError("Values to compare must not be infinite.")
    difference = summarise(first - second)
    return Comparison(difference, difference.interval(confidence))


def first_unless_beaten(tried: Iterable[tuple[Choice, Floats]]) -> Choice:
    """Of choices and what each reached with the same users (n_users,), the first; or the next one that beats it with
    95% confidence, until another one beats that as clearly.

    A hold-out does not mirror every test, so what is known to do well elsewhere gives way to a clear answer alone.
    """
    choices = iter(tried)
    best, reached = next(choices)
    for choice, values in choices:
        if compare(values, reached).first_wins:
            best, reached = choice, values
    return best


def _counts(relevant: sp.csr_matrix) -> NDArray[np.integer]:
    return np.asarray(relevant.count_nonzero(axis=1))


def _per_user(gained: NDArray[np.number], possible: NDArray[np.number]) -> Floats:
    return np.divide(gained, possible, out=np.full(len(gained), np.nan), where=possible > 0)
