"""Diversity of a slate: pick greedily, each pick making what resembles it worth less.

Maximal marginal relevance picks the candidate of the largest

    t relevance_i - (1 - t) max over picked j of cosine(i, j)

(Carbonell, Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing Summaries",
SIGIR 1998). Decay by group picks the largest relevance_i times decay^n for each kind of group, with n the number of
picks of the same category, author or the like. Both are O(k n) for k picks of n candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.vectors import unit_rows

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reranked:
    """`order` (m,): indices of candidates, in the order in which they were picked, m the smaller of k and n; and
    `values` (m,): what each was worth when it was picked."""

    order: NDArray[np.int64]
    values: Floats


def maximal_marginal_relevance(relevance: ArrayLike, vectors: ArrayLike, k: int, trade_off: float) -> Reranked:
    """Pick `k` of the candidates with `relevance` (n,) and `vectors` (n, d), the most relevant first.

    `trade_off` t is 1 for relevance alone and 0 for diversity alone. The cosine lies in [-1, 1], so relevance should
    have a like range. A vector of zeros resembles nothing (cosine 0). Ties go to the first candidate. ValueError for
    values that are not finite, shapes that do not match, a negative k, or a trade-off outside of [0, 1].
    """
    known = _checked_relevance(relevance, k)
    directions = _directions(vectors, len(known))
    if not 0 <= trade_off <= 1:
        raise ValueError(f"The trade-off must lie between 0 and 1, not {trade_off}.")
    gain = trade_off * known
    order, values = np.zeros(min(k, len(known)), dtype=np.int64), np.zeros(min(k, len(known)))
    closest, scores = np.full(len(known), -np.inf), known.copy()
    for step in range(len(order)):
        # Nothing resembles an empty slate: the first pick is the most relevant, whatever the trade-off.
        pick = int(scores.argmax())
        order[step], values[step] = pick, scores[pick] if step else gain[pick]
        np.maximum(closest, directions @ directions[pick], out=closest)
        gain[pick] = -np.inf
        np.subtract(gain, (1 - trade_off) * closest, out=scores)
    return Reranked(order, values)


def decay_by_group(relevance: ArrayLike, groups: Sequence[ArrayLike], decays: Sequence[float], k: int) -> Reranked:
    """Pick `k` of the candidates with `relevance` (n,), each further one of a group being worth less.

    `groups` are columns (n,) of group ids, say one of categories and one of authors, below 0 for none; `decays` the
    factor of each column, from 0 to 1 (1 changes nothing). Ties go to the first candidate. ValueError for relevance
    that is negative (a decay would raise it) or not finite, shapes that do not match, or a negative k.
    """
    scores = _checked_relevance(relevance, k)
    if (scores < 0).any():
        raise ValueError("Relevance must not be negative, or decay would raise it.")
    columns = [np.asarray(column) for column in groups]
    if len(decays) != len(columns) or any(column.shape != scores.shape for column in columns):
        raise ValueError(f"There must be a group for each of {len(scores)} candidates, and a decay for each column.")
    if not all(0 <= decay <= 1 for decay in decays):
        raise ValueError(f"Decays must lie between 0 and 1, not {list(decays)!r}.")
    order, values = np.zeros(min(k, len(scores)), dtype=np.int64), np.zeros(min(k, len(scores)))
    for step in range(len(order)):
        pick = int(scores.argmax())
        order[step], values[step] = pick, scores[pick]
        for column, decay in zip(columns, decays, strict=True):
            if column[pick] >= 0:
                # A pick has -inf, which a decay of 0 would turn into NaN.
                np.multiply(scores, decay, out=scores, where=(column == column[pick]) & (scores >= 0))
        scores[pick] = -np.inf
    return Reranked(order, values)


def _checked_relevance(relevance: ArrayLike, k: int) -> Floats:
    known = np.array(relevance, dtype=np.float64)
    if known.ndim != 1 or not np.isfinite(known).all():
        raise ValueError("Relevance must be finite and of one dimension.")
    if k < 0:
        raise ValueError(f"k must be 0 or more, not {k}.")
    return known


def _directions(vectors: ArrayLike, n_candidates: int) -> Floats:
    known = np.asarray(vectors, dtype=np.float64)
    if known.ndim != 2 or len(known) != n_candidates or not np.isfinite(known).all():
        raise ValueError(f"There must be a finite vector for each of {n_candidates} candidates, not {known.shape}.")
    return unit_rows(known)
