"""What a ranker knows of a candidate: one row of numbers for each pair of a user and an item that a blend put forward.

| feature | what |
|---|---|
| rank, score | the place among the blend's candidates, and the blend's score over that of the first |
| by_<part> | each part's own score over the largest that it gives to any of the candidates |
| largest, second | the largest and second largest weight between the candidate and an item of the history |
| support | how many of the history's items have a weight to it, over the root of the history's length |
| popularity, norm | log(1 + how often it was taken up), and the length of its factors |
| history | log(1 + the length of the history) |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml.blend import blend, scaled
from ml.ranking import best_of
from ml.scorers import Scorer

Floats = NDArray[np.float32]

_BATCH = 512
_FIXED = ("rank", "score", "largest", "second", "support", "popularity", "norm", "history")


@dataclass(frozen=True)
class Candidates:
    """`items` (n_users, k), best first, -1 for none; `features` (n_users, k, n_features), 0 where there is none."""

    items: NDArray[np.int64]
    features: Floats


@dataclass(frozen=True)
class Featurizer:
    """`parts` and their `weights` in the blend; `graph` (n_items, n_items) csr, the weights between items; `popularity`
    and `norms` (n_items,)."""

    parts: Mapping[str, Scorer]
    weights: Mapping[str, float]
    graph: sp.csr_matrix
    popularity: Floats
    norms: Floats
    k: int = 100

    @property
    def names(self) -> list[str]:
        """Of the features, in their order."""
        return [*_FIXED, *(f"by_{name}" for name in self._asked)]

    @property
    def _asked(self) -> list[str]:
        return [name for name, weight in self.weights.items() if weight > 0]

    def candidates(self, histories: sp.csr_matrix) -> Candidates:
        """The blend's `k` candidates for each of the histories (n_users, n_items), which hold none of their items."""
        blocks = [self._block(histories[start : start + _BATCH]) for start in range(0, histories.shape[0], _BATCH)]
        if not blocks:
            return Candidates(np.zeros((0, self.k), np.int64), np.zeros((0, self.k, len(self.names)), np.float32))
        return Candidates(
            np.concatenate([block.items for block in blocks]), np.concatenate([block.features for block in blocks])
        )

    def _block(self, histories: sp.csr_matrix) -> Candidates:
        return self.candidates_of({name: scaled(self.parts[name].score(histories)) for name in self._asked}, histories)

    def candidates_of(self, scored: Mapping[str, Floats], histories: sp.csr_matrix) -> Candidates:
        """The same, of the `scaled` scores (n_users, n_items) of the parts that were computed already."""
        parts = [scored[name] for name in self._asked]
        scores = blend(parts, [self.weights[name] for name in self._asked])
        items = best_of(scores, histories, self.k)
        own = [np.where(items < 0, 0, np.take_along_axis(part, items, axis=1)) for part in [scores, *parts]]
        shape = items.shape
        lengths = np.diff(histories.indptr)
        largest, second, support = self._anchors(histories, items)
        columns = {
            "rank": np.broadcast_to(np.arange(shape[1], dtype=np.float32), shape),
            "score": _shares(own[0]),
            "largest": largest,
            "second": second,
            "support": support / np.sqrt(np.maximum(lengths, 1))[:, None],
            "popularity": np.log1p(self.popularity)[items],
            "norm": self.norms[items],
            "history": np.broadcast_to(np.log1p(lengths)[:, None], shape),
        } | {f"by_{name}": _shares(scored) for name, scored in zip(self._asked, own[1:], strict=True)}
        features = np.stack([columns[name] for name in self.names], axis=2).astype(np.float32)
        features[items < 0] = 0
        return Candidates(items, features)

    def _anchors(self, histories: sp.csr_matrix, items: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """The largest and second largest weight from a history's items to each candidate, and how many there are."""
        largest, second, support = (np.zeros(items.shape, dtype=np.float32) for _ in range(3))
        place = np.full(self.graph.shape[1], -1, dtype=np.int64)
        for user in range(len(items)):
            history = histories.indices[histories.indptr[user] : histories.indptr[user + 1]]
            known = np.flatnonzero(items[user] >= 0)
            if not len(history) or not len(known):
                continue
            place[items[user, known]] = known
            found = _to_places(self.graph, history, place, items.shape[1])
            place[items[user, known]] = -1
            support[user] = np.count_nonzero(found, axis=0)
            if len(history) == 1:
                largest[user] = found[0]
            else:
                second[user], largest[user] = np.partition(found, len(history) - 2, axis=0)[-2:]
        return largest, second, support


def _to_places(graph: sp.csr_matrix, rows: NDArray[np.integer], place: NDArray[np.int64], width: int) -> Floats:
    """The entries of these rows in the columns that have a place, dense: (len(rows), width)."""
    starts, ends = graph.indptr[rows], graph.indptr[rows + 1]
    counts = ends - starts
    entries = np.repeat(ends - np.cumsum(counts), counts) + np.arange(counts.sum())
    to = place[graph.indices[entries]]
    inside = to >= 0
    dense = np.zeros((len(rows), width), dtype=np.float32)
    dense[np.repeat(np.arange(len(rows)), counts)[inside], to[inside]] = graph.data[entries[inside]]
    return dense


def _shares(scores: Floats) -> Floats:
    """Each row over its largest entry, which is not below 0."""
    top = scores.max(axis=1, keepdims=True, initial=0)
    return np.divide(scores, top, out=np.zeros_like(scores), where=top > 0)


def labels(items: NDArray[np.int64], held_out: sp.csr_matrix) -> NDArray[np.bool_]:
    """Which of the candidates (n_users, k) are among what was held out of each user (n_users, n_items)."""
    rows = np.arange(len(items))[:, None].repeat(items.shape[1], axis=1)
    found = np.asarray(held_out[rows.ravel(), np.maximum(items, 0).ravel()]).reshape(items.shape) != 0
    return np.asarray(found & (items >= 0), dtype=bool)
