"""A weighted sum of scorers, each made comparable first, with weights that validation chose.

Scores of different models have different scales, and one model's differ between users. Each user's scores are divided
by their root mean square over the items that something speaks for, so a weight says how much a model counts, for every
user alike. Weights are found by coordinate ascent on a validation metric, over a short grid: few robust knobs, because
a hold-out does not mirror every test split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml.ranking import best_of
from ml.scorers import Scorer

Floats = NDArray[np.float32]

_ROWS = 16  # at a time

GRID = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.5)


def scaled(scores: Floats) -> Floats:
    """`scores` (n_users, n_items), each row divided by the root mean square of its entries that are not 0: in place, as
    a new block takes ten times as long as the division."""
    scores /= _lengths(scores)[:, None]
    return scores


def _lengths(scores: Floats) -> Floats:
    present = np.count_nonzero(scores, axis=1)
    squares = np.einsum("ij,ij->i", scores, scores)
    length = np.sqrt(np.divide(squares, present, out=np.ones_like(squares), where=present > 0))
    length[length == 0] = 1
    return np.asarray(length, dtype=np.float32)


def blend(parts: Sequence[Floats], weights: Sequence[float]) -> Floats:
    """The weighted sum of scaled score blocks of one shape. ValueError where there are not as many weights as parts."""
    if len(parts) != len(weights) or not parts:
        raise ValueError(f"{len(parts)} blocks of scores and {len(weights)} weights: one each, and at least one.")
    asked = [(part, np.float32(weight)) for part, weight in zip(parts, weights, strict=True) if weight]
    total = np.zeros_like(parts[0], dtype=np.float32)
    for start in range(0, len(total), _ROWS):  # what is multiplied stays in the processor's cache
        rows = slice(start, start + _ROWS)
        for part, weight in asked:
            total[rows] += weight * part[rows]
    return total


@dataclass(frozen=True)
class BlendScorer:
    """`parts`, each with its weight under the same name in `weights`; parts without one, or with 0, are not asked."""

    parts: Mapping[str, Scorer]
    weights: Mapping[str, float]

    def __post_init__(self) -> None:
        if unknown := set(self.weights) - set(self.parts):
            raise ValueError(f"Weights for parts that there are not: {sorted(unknown)}.")
        if not self._asked or not np.isfinite(list(self.weights.values())).all():
            raise ValueError("Weights must be finite, and one of them above 0.")

    @property
    def _asked(self) -> list[tuple[Scorer, float]]:
        return [(self.parts[name], weight) for name, weight in self.weights.items() if weight > 0]

    @property
    def n_items(self) -> int:
        return self._asked[0][0].n_items

    def score(self, histories: sp.csr_matrix) -> Floats:
        """The scores (n_users, n_items) for histories (n_users, n_items)."""
        asked = self._asked
        return blend([scaled(part.score(histories)) for part, _ in asked], [weight for _, weight in asked])

    def carried(self, history: NDArray[np.integer], weights: Floats, items: NDArray[np.integer]) -> Floats:
        """What each item of a history brings to the scores of `items`: (len(history), len(items))."""
        row = sp.csr_matrix((weights, history, [0, len(history)]), shape=(1, self.n_items), dtype=np.float32)
        total = np.zeros((len(history), len(items)), dtype=np.float32)
        for part, weight in self._asked:
            length = _lengths(part.score(row))[0]
            total += np.float32(weight / length) * part.carried(history, weights, items)
        return total


def candidates(parts: Mapping[str, Floats], seen: sp.csr_matrix, k: int) -> NDArray[np.int64]:
    """The items that are among the best `k` of any part, for each user: (n_users, at most k * parts), -1 for none.

    `parts` are blocks of scores (n_users, n_items). What any blend of them puts first is nearly always among these.
    """
    best = np.concatenate([best_of(scores, seen, k) for scores in parts.values()], axis=1)
    best.sort(axis=1)
    best[:, 1:][best[:, 1:] == best[:, :-1]] = -1
    return best


def choose_weights(
    names: Sequence[str],
    judge: Callable[[Mapping[str, float]], float],
    *,
    grid: Sequence[float] = GRID,
    rounds: int = 2,
) -> dict[str, float]:
    """Weights for each of `names` that `judge` (a validation metric; larger is better) likes best.

    Starts with the best single one at 1, which stays at 1; the others go through `grid` one after the other, `rounds`
    times or until nothing changes. A weight moves only where that is better, so a model that helps nothing has 0.
    """
    if not names:
        raise ValueError("Nothing to blend.")
    alone = {name: judge({name: 1.0}) for name in names}
    first = max(names, key=lambda name: alone[name])
    weights, best = {name: float(name == first) for name in names}, alone[first]
    for _ in range(rounds):
        before = dict(weights)
        for name in sorted((name for name in names if name != first), key=lambda name: -alone[name]):
            for weight in grid:
                if weight == weights[name]:
                    continue
                found = judge(weights | {name: weight})
                if found > best:
                    best, weights = found, weights | {name: weight}
        if weights == before:
            break
    return weights


def average(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of several weights by the same names, each taken as shares of their sum; the largest of it is made 1.
    What is then below the smallest that is tried gets 0, so that no model is asked for next to nothing."""
    totals = [sum(weights.values()) for weights in found]
    shares = {name: sum(one[name] / total for one, total in zip(found, totals, strict=True)) for name in found[0]}
    largest = max(shares.values())
    return {name: share / largest if share / largest >= GRID[1] else 0.0 for name, share in shares.items()}
