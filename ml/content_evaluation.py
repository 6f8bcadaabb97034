"""How well items that nobody has taken up yet are ranked.

The interactions are split at a moment. Items first taken up from that moment on are cold: models learn from what came
before it, in which cold items do not occur, and each user who took up cold items later is given a ranking of the cold
items alone. Two histories may stand for such a user: all that they took up before their own first cold item, or (the
stricter one, which most data sets have few users for) before the moment of the split.

Popularity before the split is 0 for every cold item, so it ranks them by chance (`random`). The baselines with
something to say are the popularity of an item's categories (`category`), and, out of any model's reach, the popularity
that the cold items came to have (`hindsight`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from ml import als, cold_start
from ml.als import AlsConfig
from ml.cold_start import ColdStartConfig
from ml.content import ContentScorer
from ml.interactions import from_arrays
from ml.metrics import ndcg, recall

Floats = NDArray[np.float32]


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

    def strict(self) -> ColdSplit:
        """The same for the users alone who are known before the moment, with histories that end there."""
        known = np.diff(self.known.indptr)[self.users] > 0
        users = self.users[known]
        return replace(self, users=users, histories=self.known[users], later=self.later[known])


def split_cold(
    users: ArrayLike, items: ArrayLike, weights: ArrayLike, times: ArrayLike, shape: tuple[int, int], moment: float
) -> ColdSplit:
    """Split parallel arrays of interactions at `moment`; users and items are the rows and columns of `shape`.

    Judged are users with a cold item, and a warm one before it. ValueError for arrays of different lengths, users and
    items outside of the shape, times that are not finite, or weights that are not finite and above 0.
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
    cold = np.isfinite(first_of_item) & (first_of_item >= moment)
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
    """One number for each judged user, (n_judged,)."""

    recall: NDArray[np.float64]
    ndcg: NDArray[np.float64]


def measure(split: ColdSplit, scores: Floats, k: int, rng: np.random.Generator) -> ColdMeasures:
    """Recall@k and NDCG@k of `scores` (n_judged, n_items) among the cold items. Equal scores are ordered by chance."""
    if scores.shape != split.later.shape:
        raise ValueError(f"Scores of shape {scores.shape} for {split.later.shape}.")
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}.")
    if not len(split.users):
        return ColdMeasures(np.zeros(0), np.zeros(0))
    columns = np.flatnonzero(split.cold)
    shuffled = np.argsort(rng.random((len(split.users), len(columns))), axis=1)
    found = np.take_along_axis(scores[:, columns], shuffled, axis=1)
    best = np.argsort(-found, axis=1, kind="stable")[:, :k]
    ranked = columns[np.take_along_axis(shuffled, best, axis=1)]
    return ColdMeasures(recall(ranked, split.later), ndcg(ranked, split.later))


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
    """The scores (n_judged, n_items) of what knows no one's taste: `random`, `category` and `hindsight`."""
    later = np.bincount(split.later.indices, minlength=len(split.cold))
    rows = {
        "random": np.zeros(len(split.cold)),
        "category": category_popularity(split, categories),
        "hindsight": later,
    }
    shape = split.later.shape
    return {name: np.broadcast_to(np.asarray(row, dtype=np.float32), shape) for name, row in rows.items()}


def content_scores(split: ColdSplit, vectors: Floats) -> Floats:
    """The scores (n_judged, n_items) by closeness to the profile, of content `vectors` (n_items, d_content)."""
    return ContentScorer(vectors).score(split.histories)


def mapped_scores(
    split: ColdSplit, vectors: Floats, als_config: AlsConfig, config: ColdStartConfig, rng: np.random.Generator
) -> tuple[Floats, float]:
    """The scores (n_judged, n_items) by collaborative factors, which for cold items are mapped from content `vectors`
    (n_items, d_content); and the R^2 of the mapping.
    """
    factors = als.fit(split.known, als_config, rng)
    counts = np.bincount(split.known.indices, minlength=len(split.cold))
    model = cold_start.fit(vectors, factors.items, counts, config, rng, als.gram(factors.users))
    users = als.fold_in_many(split.histories, factors.items, factors.unobserved, als_config)
    return np.asarray(users @ model.complete(factors.items, counts, vectors).T, dtype=np.float32), model.r_squared


def compare(
    split: ColdSplit, sources: Mapping[str, Floats], k: int, rng: np.random.Generator
) -> dict[str, ColdMeasures]:
    """`measure` for each source of scores, all with the same order of ties."""
    seed = int(rng.integers(2**31))
    return {name: measure(split, scores, k, np.random.default_rng(seed)) for name, scores in sources.items()}
