"""Which items come after which, counted within a window, and the walks of one and two steps over the counts.

A pair of items at a distance of d events counts 2^(window - d): half as much with each step. The counts are whole
numbers, so they can be taken back without a trace, whatever the order. Pairs of an item with itself do not count.

    following(x)   what came after x, as shares of all that did
    preceding(x)   what came before x, likewise
    two_steps(x)   the sum over the `neighbours` y strongest around x of around(x, y) * around(y, z), of length 1,
                   with around = what came before or after; x itself is left out

The second step reaches items that were never seen together with x (Cooper et al., "Random Walks in Recommender Systems:
Exact Computation and Simulations", WWW 2014), which matters where most items are rare.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Row = tuple[NDArray[np.int64], NDArray[np.float64]]  # item ids, ascending and each once, and their shares

NOTHING: Row = (np.empty(0, np.int64), np.empty(0, np.float64))


class TransitionGraph:
    """Counts that grow and shrink one pair at a time. Every row that is read is cut to its `max_transitions` largest.

    Rows are kept as arrays once they were read, until one of their counts changes. Reading in several threads is safe
    while nobody writes.
    """

    def __init__(self, window: int, neighbours: int, max_transitions: int) -> None:
        if not (1 <= window <= 32 and neighbours >= 1 and max_transitions >= 1):
            raise ValueError("window must be from 1 to 32, neighbours and max_transitions at least 1.")
        self.window = window
        self._neighbours = neighbours
        self._max_transitions = max_transitions
        self._following = _Counts(max_transitions)
        self._preceding = _Counts(max_transitions)
        # A row of two steps is true as long as none of the items between changed after the moment it was made.
        self._moment = 0
        self._changed_at: dict[int, int] = {}
        self._two_step_rows: dict[int, tuple[int, list[int], Row]] = {}

    @property
    def items(self) -> set[int]:
        """All items that have any transition."""
        return set(self._changed_at)

    @property
    def n_transitions(self) -> int:
        """The number of pairs (earlier, later) that are counted."""
        return len(self._following)

    def count(self, earlier: int, later: int, distance: int, sign: int = 1) -> None:
        """Count the pair, or with `sign` -1 take it back. Pairs further apart than the window are ignored."""
        if earlier == later or distance > self.window:
            return
        weight = sign << (self.window - distance)
        self._following.add(earlier, later, weight)
        self._preceding.add(later, earlier, weight)
        self._moment += 1
        for item in (earlier, later):
            self._two_step_rows.pop(item, None)
            if self._following.total(item) or self._preceding.total(item):
                self._changed_at[item] = self._moment
            else:
                del self._changed_at[item]

    def count_sequence(self, items: Sequence[int], sign: int = 1) -> None:
        """Count, or take back, all pairs of a sequence."""
        for place, earlier in enumerate(items):
            for distance, later in enumerate(items[place + 1 : place + 1 + self.window], start=1):
                self.count(earlier, later, distance, sign)

    def following(self, item: int) -> Row:
        """What came after the item."""
        return self._following.row(item)

    def preceding(self, item: int) -> Row:
        """What came before the item."""
        return self._preceding.row(item)

    def two_steps(self, item: int) -> Row:
        """What is two steps away from the item, in either direction."""
        known = self._two_step_rows.get(item)
        if known is not None:
            made_at, between, row = known
            if all(self._changed_at[one] <= made_at for one in between):
                return row
        if item not in self._changed_at:
            return NOTHING
        between, row = self._walk(item)
        self._two_step_rows[item] = (self._moment, between, row)
        return row

    def warm(self) -> None:
        """Make the rows of one step of all items now rather than when they are first read."""
        for item in self._changed_at:
            self.following(item)
            self.preceding(item)

    def _walk(self, item: int) -> tuple[list[int], Row]:
        """The items between, and the row of two steps."""
        around, shares = merge(*self._around([item], [1.0]))
        if len(around) > self._neighbours:
            kept = _largest(shares, around, self._neighbours)
            around, shares = around[kept], shares[kept]
        between = around.tolist()
        reached, scores = merge(*self._around(between, shares.tolist()))
        others = reached != item
        reached, scores = reached[others], scores[others]
        if not len(reached):
            return between, NOTHING
        return between, cut((reached, scores / scores.sum()), self._max_transitions)

    def _around(self, items: list[int], weights: list[float]) -> tuple[list[Row], list[float]]:
        """Rows and weights whose sum is what came after or before the items, each item with its weight."""
        rows, row_weights = [], []
        for item, weight in zip(items, weights, strict=True):
            after, before = self._following.total(item), self._preceding.total(item)
            rows += [self.following(item), self.preceding(item)]
            row_weights += [weight * after / (after + before), weight * before / (after + before)]
        return rows, row_weights


class _Counts:
    """Whole numbers by pair of items, their sums by the first one, and rows of shares made when they are read."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._counts: dict[int, dict[int, int]] = {}
        self._totals: dict[int, int] = {}
        self._rows: dict[int, Row] = {}

    def __len__(self) -> int:
        return sum(map(len, self._counts.values()))

    def add(self, item: int, other: int, weight: int) -> None:
        counts = self._counts.setdefault(item, {})
        value = counts.get(other, 0) + weight
        if value:
            counts[other] = value
        else:
            del counts[other]
        total = self._totals.get(item, 0) + weight
        if total:
            self._totals[item] = total
        else:
            del self._totals[item], self._counts[item]
        self._rows.pop(item, None)

    def total(self, item: int) -> int:
        return self._totals.get(item, 0)

    def row(self, item: int) -> Row:
        row = self._rows.get(item)
        if row is None:
            counts = self._counts.get(item)
            if counts is None:
                return NOTHING
            items = np.fromiter(counts.keys(), np.int64, len(counts))
            shares = np.fromiter(counts.values(), np.float64, len(counts)) / self._totals[item]
            order = np.argsort(items)
            row = self._rows[item] = cut((items[order], shares[order]), self._largest)
        return row


def merge(rows: Sequence[Row], weights: Sequence[float]) -> Row:
    """The weighted sum of rows: every item once, ascending."""
    if not rows:
        return NOTHING
    items = np.concatenate([row[0] for row in rows])
    if not len(items):
        return NOTHING
    scores = np.concatenate([row[1] for row in rows]) * np.repeat(weights, [len(row[0]) for row in rows])
    order = np.argsort(items)
    items, scores = items[order], scores[order]
    first = np.flatnonzero(np.concatenate([[True], items[1:] != items[:-1]]))
    return items[first], np.add.reduceat(scores, first)


def cut(row: Row, largest: int) -> Row:
    """The `largest` shares of a row, still by item; of equal ones those with the smaller ids."""
    items, shares = row
    if len(items) <= largest:
        return row
    kept = np.sort(_largest(shares, items, largest))
    return items[kept], shares[kept]


def _largest(shares: NDArray[np.float64], items: NDArray[np.int64], n: int) -> NDArray[np.intp]:
    return np.lexsort((items, -shares))[:n]
