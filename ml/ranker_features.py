"""What a ranker knows of a candidate: one row of numbers for each pair of a user and an item that a blend put forward.

| feature | what |
|---|---|
| rank, score | the place among the blend's candidates, and the blend's score over that of the first |
| level | the blend's score as it is |
| by_<part> | each part's own score over the largest that it gives to any of the candidates |
| largest, second, third | the three largest weights that the graph has from an item of the history to the candidate |
| support | how many of the history's items have such a weight, over the root of the history's length |
| anchor | log(1 + how often the item with the largest weight was taken up) |
| back, back_sum | the largest weight from the candidate to an item of the history, and the sum of them |
| closest, closeness | the largest and the mean cosine between its factors and those of the history's items |
| agreement | the sum of the weights from the blend's first 20 candidates to this one |
| popularity, norm | log(1 + how often it was taken up), and the length of its factors |
| history | log(1 + the length of the history) |

The graph's weights differ by direction, as each item keeps only its own strongest others. `agreement` is what
pseudo-relevance feedback looks at: what the first candidates say for the others (Croft, Harper, "Using Probabilistic
Models of Document Retrieval without Relevance Information", 1979).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml.blend import blend, scaled
from ml.ranking import best_of, blocks
from ml.scorers import Scorer
from ml.vectors import unit_rows

Floats = NDArray[np.float32]

_FIRST = 20  # candidates that are asked about the others
_PAIRED = ("largest", "second", "third", "support", "anchor", "back", "back_sum", "closest", "closeness", "agreement")
_FIXED = ("rank", "score", "level", *_PAIRED, "popularity", "norm", "history")


@dataclass(frozen=True)
class Candidates:
    """`items` (n_users, k), best first, -1 for none; `features` (n_users, k, n_features), 0 where there is none."""

    items: NDArray[np.int64]
    features: Floats


@dataclass(frozen=True)
class Featurizer:
    """`parts` and their `weights` in the blend; `graph` (n_items, n_items) csr, the weights between items; `popularity`
    (n_items,) and `factors` (n_items, d)."""

    parts: Mapping[str, Scorer]
    weights: Mapping[str, float]
    graph: sp.csr_matrix
    popularity: Floats
    factors: Floats
    k: int = 100

    @property
    def names(self) -> list[str]:
        """Of the features, in their order."""
        return [*_FIXED, *(f"by_{name}" for name in self._asked)]

    @property
    def _asked(self) -> list[str]:
        return [name for name, weight in self.weights.items() if weight > 0]

    @cached_property
    def _directions(self) -> Floats:
        return unit_rows(self.factors)

    @cached_property
    def _norms(self) -> Floats:
        return np.linalg.norm(self.factors, axis=1).astype(np.float32)

    @cached_property
    def _fame(self) -> Floats:
        return np.log1p(self.popularity).astype(np.float32)

    def candidates(self, histories: sp.csr_matrix) -> Candidates:
        """The blend's `k` candidates for each of the histories (n_users, n_items), which hold none of their items."""
        items = np.full((histories.shape[0], self.k), -1, dtype=np.int64)
        features = np.zeros((*items.shape, len(self.names)), dtype=np.float32)
        for rows in blocks(*histories.shape):
            scored = self.scores(histories[rows])
            items[rows] = self.items_of(scored, histories[rows])
            features[rows] = self.features_of(items[rows], scored, histories[rows])
        return Candidates(items, features)

    def scores(self, histories: sp.csr_matrix) -> dict[str, Floats]:
        """The `scaled` scores (n_users, n_items) by the name of each part that has a weight."""
        return {name: scaled(self.parts[name].score(histories)) for name in self._asked}

    def items_of(self, scored: Mapping[str, Floats], histories: sp.csr_matrix) -> NDArray[np.int64]:
        """The candidates (n_users, k), by the `scaled` scores (n_users, n_items) of the parts."""
        return best_of(self._blend(scored), histories, self.k)

    def features_of(self, items: NDArray[np.int64], scored: Mapping[str, Floats], histories: sp.csr_matrix) -> Floats:
        """The features (n_users, k, n_features) of candidates (n_users, k), by the parts' `scaled` scores."""
        own = {name: np.where(items < 0, 0, np.take_along_axis(scored[name], items, axis=1)) for name in self._asked}
        level = self._blend(own)
        columns = {
            "rank": np.broadcast_to(np.arange(items.shape[1], dtype=np.float32), items.shape),
            "score": _shares(level),
            "level": level,
            **dict(zip(_PAIRED, self._paired(histories, items), strict=True)),
            "popularity": self._fame[items],
            "norm": self._norms[items],
            "history": np.broadcast_to(np.log1p(np.diff(histories.indptr))[:, None], items.shape),
            **{f"by_{name}": _shares(scores) for name, scores in own.items()},
        }
        features = np.stack([columns[name] for name in self.names], axis=2).astype(np.float32)
        features[items < 0] = 0
        return features

    def _blend(self, scored: Mapping[str, Floats]) -> Floats:
        return blend([scored[name] for name in self._asked], [self.weights[name] for name in self._asked])

    def _paired(self, histories: sp.csr_matrix, items: NDArray[np.int64]) -> Floats:
        """What the items of each history, and the first candidates, have to do with each candidate:
        (len(_PAIRED), n_users, k)."""
        found = np.zeros((len(_PAIRED), *items.shape), dtype=np.float32)
        place = np.full(self.graph.shape[1], -1, dtype=np.int32)
        for user in range(len(items)):
            history = histories.indices[histories.indptr[user] : histories.indptr[user + 1]]
            known = items[user] >= 0
            if len(history) and known.any():
                found[:, user, known] = self._pair(history, items[user, known], place)
        return found

    def _pair(self, history: NDArray[np.int32], candidates: NDArray[np.int64], place: NDArray[np.int32]) -> Floats:
        """The same for one user: (len(_PAIRED), n_candidates)."""
        weights = _between(self.graph, np.concatenate([history, candidates[:_FIRST]]), candidates, place)
        to, agreement = weights[: len(history)], weights[len(history) :].sum(axis=0)
        back = _between(self.graph, candidates, history, place)
        cosines = self._directions[history] @ self._directions[candidates].T
        most = min(3, len(history))
        strongest = np.zeros((3, len(candidates)), dtype=np.float32)
        strongest[:most] = -np.sort(np.partition(-to, most - 1, axis=0)[:most], axis=0)
        return np.stack(
            [
                *strongest,
                np.count_nonzero(to, axis=0) / np.sqrt(len(history)),
                np.where(strongest[0] > 0, self._fame[history][to.argmax(axis=0)], 0),
                back.max(axis=1),
                back.sum(axis=1),
                cosines.max(axis=0),
                cosines.mean(axis=0),
                agreement,
            ]
        )


def _between(
    graph: sp.csr_matrix, rows: NDArray[np.integer], columns: NDArray[np.integer], place: NDArray[np.int32]
) -> Floats:
    """The entries of these rows in these columns, dense: (len(rows), len(columns)). `place` (n_items,) is -1 before and
    after."""
    place[columns] = np.arange(len(columns))
    starts, ends = graph.indptr[rows], graph.indptr[rows + 1]
    cuts = [graph.indices[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    to = place.take(np.concatenate(cuts), mode="clip")  # which is faster than to raise
    inside = np.flatnonzero(to >= 0)
    passed = np.cumsum(ends - starts)
    row = np.searchsorted(passed, inside, side="right")
    dense = np.zeros((len(rows), len(columns)), dtype=np.float32)
    dense[row, to[inside]] = graph.data[inside + (ends - passed)[row]]
    place[columns] = -1
    return dense


def _shares(scores: Floats) -> Floats:
    """Each row over its largest entry, which is not below 0."""
    top = scores.max(axis=1, keepdims=True, initial=0)
    return np.divide(scores, top, out=np.zeros_like(scores), where=top > 0)
