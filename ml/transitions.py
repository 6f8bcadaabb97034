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
from numpy.typing import ArrayLike, NDArray

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
        self._slots = _Slots()
        self._following = _Counts(self._slots, max_transitions)
        self._preceding = _Counts(self._slots, max_transitions)
        # By slot. A row of two steps is true as long as none of the items between changed after the moment it was made.
        self._moment = 0
        self._changed_at: dict[int, int] = {}
        self._around_rows: dict[int, Row] = {}
        self._two_step_rows: dict[int, tuple[int, list[int], Row]] = {}

    @property
    def items(self) -> set[int]:
        """All items that have any transition."""
        return set(self._slots.of)

    @property
    def n_transitions(self) -> int:
        """The number of pairs (earlier, later) that are counted."""
        return len(self._following)

    def count(self, earlier: int, later: int, distance: int, sign: int = 1) -> None:
        """Count the pair, or with `sign` -1 take it back. Pairs further apart than the window are ignored."""
        if earlier == later or distance > self.window:
            return
        weight = sign << (self.window - distance)
        first, second = self._slots.take(earlier), self._slots.take(later)
        self._following.add(first, second, weight)
        self._preceding.add(second, first, weight)
        self._moment += 1
        for item, slot in ((earlier, first), (later, second)):
            self._around_rows.pop(slot, None)
            self._two_step_rows.pop(slot, None)
            if self._following.total(slot) or self._preceding.total(slot):
                self._changed_at[slot] = self._moment
            else:
                del self._changed_at[slot]
                self._slots.give_back(item)

    def count_sequence(self, items: Sequence[int], sign: int = 1) -> None:
        """Count, or take back, all pairs of a sequence."""
        for place, earlier in enumerate(items):
            for distance, later in enumerate(items[place + 1 : place + 1 + self.window], start=1):
                self.count(earlier, later, distance, sign)

    def following(self, item: int) -> Row:
        """What came after the item."""
        return self._named(self._following, item)

    def preceding(self, item: int) -> Row:
        """What came before the item."""
        return self._named(self._preceding, item)

    def two_steps(self, item: int) -> Row:
        """What is two steps away from the item, in either direction."""
        slot = self._slots.of.get(item)
        if slot is None:
            return NOTHING
        known = self._two_step_rows.get(slot)
        if known is not None:
            made_at, between, row = known
            if all(self._changed_at[one] <= made_at for one in between):
                return row
        between, row = self._walk(slot)
        self._two_step_rows[slot] = (self._moment, between, row)
        return row

    def warm(self) -> None:
        """Make the rows of one step of all items now rather than when they are first read."""
        for slot in self._changed_at:
            self._around(slot)

    def _named(self, counts: _Counts, item: int) -> Row:
        slot = self._slots.of.get(item)
        if slot is None:
            return NOTHING
        slots, found = counts.row(slot)
        return self._slots.items[slots], found / max(counts.total(slot), 1)

    def _walk(self, slot: int) -> tuple[list[int], Row]:
        """The slots of the items between, and the row of two steps."""
        between, shares = self._around(slot)
        kept = largest(shares, self._slots.items[between], self._neighbours)
        slots = between[kept].tolist()
        reached, scores = self._sum([self._around(one) for one in slots], shares[kept])
        others = reached != slot
        reached, scores = reached[others], scores[others]
        if not len(reached):
            return slots, NOTHING
        items = self._slots.items[reached]
        kept = largest(scores, items, self._max_transitions)
        kept = kept[items[kept].argsort()]
        return slots, (items[kept], scores[kept] / scores.sum())

    def _around(self, slot: int) -> Row:
        """What came after or before, by slot: as shares of both, in no order."""
        row = self._around_rows.get(slot)
        if row is None:
            total = self._following.total(slot) + self._preceding.total(slot)
            rows = [self._following.row(slot), self._preceding.row(slot)]
            slots, counts = self._sum(rows, [1, 1])
            row = self._around_rows[slot] = (slots, counts / total)
        return row

    def _sum(self, rows: Sequence[Row], weights: ArrayLike) -> Row:
        """The weighted sum of rows by slot: every slot once, in no order. It is a third of the cost of `merge`, which
        has to sort."""
        slots, scores = _weighted(rows, weights)
        places = np.arange(len(slots))
        # One of the places of each slot stands for it. What is not written here is not read either.
        chosen = np.empty(len(self._slots.items), dtype=np.intp)
        chosen[slots] = places
        chosen_of = chosen[slots]
        kept = (chosen_of == places).nonzero()[0]
        return slots[kept], np.bincount(chosen_of, scores, len(slots))[kept]


class _Slots:
    """A small number for each item, so that arrays can be indexed by it: `of` an item, and back the `items` by it."""

    def __init__(self) -> None:
        self.of: dict[int, int] = {}
        self.items = np.zeros(1024, dtype=np.int64)
        self._free: list[int] = []

    def take(self, item: int) -> int:
        """The slot of the item, which has one from now on."""
        slot = self.of.get(item)
        if slot is None:
            slot = self.of[item] = self._free.pop() if self._free else len(self.of)
            if slot == len(self.items):
                self.items = np.concatenate([self.items, np.zeros_like(self.items)])
            self.items[slot] = item
        return slot

    def give_back(self, item: int) -> None:
        """The item is no more, and its slot may be another one's."""
        self._free.append(self.of.pop(item))


class _Counts:
    """Whole numbers by pair of slots, their sums by the first one, and rows of the largest, made when they are read."""

    def __init__(self, slots: _Slots, most: int) -> None:
        self._slots = slots
        self._most = most
        self._counts: dict[int, dict[int, int]] = {}
        self._totals: dict[int, int] = {}
        self._rows: dict[int, Row] = {}

    def __len__(self) -> int:
        return sum(map(len, self._counts.values()))

    def add(self, slot: int, other: int, weight: int) -> None:
        counts = self._counts.setdefault(slot, {})
        value = counts.get(other, 0) + weight
        if value:
            counts[other] = value
        else:
            del counts[other]
        total = self._totals.get(slot, 0) + weight
        if total:
            self._totals[slot] = total
        else:
            del self._totals[slot], self._counts[slot]
        self._rows.pop(slot, None)

    def total(self, slot: int) -> int:
        return self._totals.get(slot, 0)

    def row(self, slot: int) -> Row:
        """The largest counts by slot, in the order of the items' ids."""
        row = self._rows.get(slot)
        if row is None:
            by_slot = self._counts.get(slot)
            if by_slot is None:
                return NOTHING
            slots = np.fromiter(by_slot.keys(), np.int64, len(by_slot))
            counts = np.fromiter(by_slot.values(), np.float64, len(by_slot))
            items = self._slots.items[slots]
            kept = largest(counts, items, self._most)
            kept = kept[items[kept].argsort()]
            row = self._rows[slot] = (slots[kept], counts[kept])
        return row


def merge(rows: Sequence[Row], weights: ArrayLike) -> Row:
    """The weighted sum of rows: every item once, ascending."""
    if not rows:
        return NOTHING
    items, scores = _weighted(rows, weights)
    if not len(items):
        return NOTHING
    order = np.argsort(items)
    items, scores = items[order], scores[order]
    first = np.flatnonzero(np.concatenate([[True], items[1:] != items[:-1]]))
    return items[first], np.add.reduceat(scores, first)


def _weighted(rows: Sequence[Row], weights: ArrayLike) -> Row:
    """The rows one behind the other, their shares times the weights."""
    repeated = np.repeat(weights, [len(row[0]) for row in rows])
    return np.concatenate([row[0] for row in rows]), np.concatenate([row[1] for row in rows]) * repeated


def largest(values: NDArray[np.float64], items: NDArray[np.int64], n: int) -> NDArray[np.intp]:
    """The places of the `n` largest values (n_items,), in no order; of equal ones those of the smaller ids."""
    surplus = len(values) - n
    if surplus <= 0:
        return np.arange(len(values))
    least = np.partition(values, surplus)[surplus]
    found = (values >= least).nonzero()[0]
    if len(found) == n:
        return found
    above, equal = found[values[found] > least], found[values[found] == least]
    return np.concatenate([above, equal[items[equal].argsort()][: n - len(above)]])
