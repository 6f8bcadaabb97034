"""How well items that nobody has taken up yet are ranked.

The interactions are split at a moment. Items of which nothing was seen before it are cold: models learn from what came
before it, in which cold items do not occur, and each user who took up cold items later is given a ranking of the cold
items alone, by all that they took up before their own first cold item.

Popularity before the split is 0 for every cold item, so it ranks them by chance (`random`). The baselines with
something to say are the popularity of an item's categories (`category`), and, out of any model's reach, the popularity
that the cold items came to have (`hindsight`).

Of several moments each user counts once, with the mean over the moments: intervals over users are then those of
independent ones. Users are scored in blocks, so memory grows with the items alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from ml import als, cold_start
from ml.als import AlsConfig, AlsFactors
from ml.cold_start import ColdStartConfig
from ml.interactions import from_arrays
from ml.metrics import ndcg, recall

Floats = NDArray[np.float32]
# From histories (n, n_items) to scores by the name of what gave them: (n, n_items), or (n_items,) for all users alike.
Score = Callable[[sp.csr_matrix], Mapping[str, Floats]]

_BLOCK = 256  # users that are scored at a time


@dataclass(frozen=True)
class ColdSplit:
    """`known` (n_users, n_items): the weights before `moment`. Of the judged users, the rows `users` of it: their
    `histories` of warm items and what they took up of cold items `later`, both (n_judged, n_items). `cold` (n_items,).
    """

    known: sp.csr_matrix
    users: NDArray[np.intp]
    histories: sp.csr_matrix
    later: sp.csr_matrix
    cold: NDArray[np.bool_]
    moment: float


def split_cold(
    users: ArrayLike,
    items: ArrayLike,
    weights: ArrayLike,
    times: ArrayLike,
    shape: tuple[int, int],
    moment: float,
    first_seen: ArrayLike | None = None,
) -> ColdSplit:
    """Split parallel arrays of interactions at `moment`; users and items are the rows and columns of `shape`.

    `first_seen` (n_items,) is when anything was first heard of an item, where that may be before its first interaction
    here: somebody rated it without liking it, and what is split are likings. Judged are users with a cold item, and a
    warm one before it. ValueError for arrays of different lengths, users and items outside of the shape, times that are
    not finite, or weights that are not finite and above 0.
    """
    rows, columns = np.asarray(users, dtype=np.int64), np.asarray(items, dtype=np.int64)
    amounts, when = np.asarray(weights, dtype=np.float32), np.asarray(times, dtype=np.float64)
    if not rows.shape == columns.shape == amounts.shape == when.shape:
        raise ValueError("users, items, weights and times must be of the same length.")
    if not np.isfinite(when).all():
        raise ValueError("times must be finite.")
    if len(rows) and (min(rows.min(), columns.min()) < 0 or rows.max() >= shape[0] or columns.max() >= shape[1]):
        raise ValueError(f"users and items must be rows and columns of the shape {shape}.")
    first_of_item = np.full(shape[1], np.inf)
    np.minimum.at(first_of_item, columns, when)
    seen = first_of_item if first_seen is None else np.asarray(first_seen, dtype=np.float64)
    if seen.shape != first_of_item.shape:
        raise ValueError(f"first_seen must be of {shape[1]} items, not of the shape {seen.shape}.")
    cold = np.isfinite(first_of_item) & (np.minimum(first_of_item, seen) >= moment)
    first_cold = np.full(shape[0], np.inf)
    np.minimum.at(first_cold, rows[cold[columns]], when[cold[columns]])

    def matrix(chosen: NDArray[np.bool_]) -> sp.csr_matrix:
        ids = np.arange(shape[0]), np.arange(shape[1])
        chosen_arrays = rows[chosen], columns[chosen], amounts[chosen]
        return from_arrays(*chosen_arrays, user_ids=ids[0], item_ids=ids[1]).matrix

    later, histories = matrix(cold[columns]), matrix(when < first_cold[rows])
    judged = np.flatnonzero((np.diff(later.indptr) > 0) & (np.diff(histories.indptr) > 0))
    return ColdSplit(matrix(when < moment), judged, histories[judged], later[judged], cold, moment)


@dataclass(frozen=True)
class ColdMeasures:
    """One number for each judged user, (n_judged,): `users` are the rows that they have in all splits."""

    users: NDArray[np.intp]
    recall: NDArray[np.float64]
    ndcg: NDArray[np.float64]


def measure(split: ColdSplit, score: Score, k: int, rng: np.random.Generator) -> dict[str, ColdMeasures]:
    """Recall@k and NDCG@k among the cold items, of each source of scores.

    Equal scores are ordered by chance, the same one for all sources. ValueError for scores of another shape, and a k
    below 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}.")
    columns = np.flatnonzero(split.cold)
    found: dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = {}
    for start in range(0, len(split.users), _BLOCK):
        later, histories = (matrix[start : start + _BLOCK] for matrix in (split.later, split.histories))
        shuffled = np.argsort(rng.random((later.shape[0], len(columns))), axis=1)
        for name, scores in score(histories).items():
            if scores.shape not in (later.shape, later.shape[1:]):
                raise ValueError(f"Scores of shape {scores.shape} for {later.shape}.")
            mine = np.broadcast_to(scores, later.shape)[:, columns]
            best = np.argsort(-np.take_along_axis(mine, shuffled, axis=1), axis=1, kind="stable")[:, :k]
            ranked = columns[np.take_along_axis(shuffled, best, axis=1)]
            found.setdefault(name, []).append((recall(ranked, later), ndcg(ranked, later)))
    return {
        name: ColdMeasures(split.users, *(np.concatenate(column) for column in zip(*parts, strict=True)))
        for name, parts in found.items()
    }


def mean_by_user(parts: Sequence[ColdMeasures]) -> ColdMeasures:
    """Of several moments, at least one: each user once, with the mean over those at which they were judged."""
    users, rows = np.unique(np.concatenate([one.users for one in parts]), return_inverse=True)
    counts = np.bincount(rows)
    means = (
        np.bincount(rows, np.concatenate([getattr(one, name) for one in parts])) / counts for name in ("recall", "ndcg")
    )
    return ColdMeasures(users, *means)


def category_popularity(split: ColdSplit, categories: sp.csr_matrix) -> Floats:
    """For each item the mean popularity of its categories, (n_items,): interactions before the moment for each item
    that there was. `categories` (n_items, n_categories), nonzero where an item is of a category.
    """
    member = sp.csr_matrix(categories != 0, dtype=np.float64)
    counts = np.bincount(split.known.indices, minlength=len(split.cold)).astype(np.float64)
    warm = (counts > 0).astype(np.float64)
    mean = (member.T @ counts) / np.maximum(member.T @ warm, 1)
    categories_of = np.asarray(member.sum(axis=1)).ravel()
    return np.asarray((member @ mean) / np.maximum(categories_of, 1), dtype=np.float32)


def baselines(split: ColdSplit, categories: sp.csr_matrix) -> dict[str, Floats]:
    """The scores (n_items,) of what knows no one's taste: `random`, `category` and `hindsight`."""
    n_items = len(split.cold)
    return {
        "random": np.zeros(n_items, dtype=np.float32),
        "category": category_popularity(split, categories),
        "hindsight": np.bincount(split.later.indices, minlength=n_items).astype(np.float32),
    }


@dataclass(frozen=True)
class MappedScorer:
    """Collaborative `factors`, and the items' `completed` (n_items, d): those of cold items are mapped from content.
    `r_squared` is that of the mapping.
    """

    factors: AlsFactors
    completed: Floats
    config: AlsConfig
    r_squared: float

    def score(self, histories: sp.csr_matrix) -> Floats:
        """The scores (n_users, n_items) for histories (n_users, n_items) of warm items."""
        users = als.fold_in_many(histories, self.factors.items, self.factors.unobserved, self.config)
        return np.asarray(users @ self.completed.T, dtype=np.float32)


def fit_mapped(
    split: ColdSplit, vectors: Floats, als_config: AlsConfig, config: ColdStartConfig, rng: np.random.Generator
) -> MappedScorer:
    """Learn the factors from what is known, and the mapping to them from content `vectors` (n_items, d_content)."""
    factors = als.fit(split.known, als_config, rng)
    counts = np.bincount(split.known.indices, minlength=len(split.cold))
    model = cold_start.fit(vectors, factors.items, counts, config, rng, als.gram(factors.users))
    return MappedScorer(factors, model.complete(factors.items, counts, vectors), als_config, model.r_squared)
