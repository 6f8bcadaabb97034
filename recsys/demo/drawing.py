"""Weighted draws within groups, for many at once: from the items of a theme by popularity, from a region by fame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsys.demo.tastes import Floats, Ints


class GroupedDraw:
    """Draws members of a group with probability proportional to their weight.

    Members lie sorted by group beside the key `group + share of the group's weight so far`, so that one binary search
    draws for any mixture of groups.
    """

    def __init__(self, groups: Ints, weights: Floats, count: int) -> None:
        """`groups` and `weights` have an entry a member; groups are numbered below `count`."""
        self.members: Ints = np.argsort(groups, kind="stable")
        sorted_groups, sorted_weights = groups[self.members], weights[self.members].astype(np.float64)
        totals = np.bincount(sorted_groups, sorted_weights, minlength=count)
        before = np.concatenate([[0.0], np.cumsum(totals)[:-1]])
        share = (np.cumsum(sorted_weights) - before[sorted_groups]) / totals[sorted_groups]
        self.keys: NDArray[np.float64] = sorted_groups + share.clip(0, 1)
        # Rounding must not let a draw fall behind the last member of its group.
        ends = np.searchsorted(sorted_groups, np.arange(count), side="right")
        self.starts, self.ends = np.concatenate([[0], ends[:-1]]), ends
        self.filled: NDArray[np.bool_] = totals > 0

    def draw(self, rng: np.random.Generator, groups: Ints) -> Ints:
        """A member for each entry of `groups`; of an empty group, any member (see `filled`)."""
        place = np.searchsorted(self.keys, groups + rng.random(len(groups)))
        place = np.clip(place, self.starts[groups], np.maximum(self.ends[groups] - 1, self.starts[groups]))
        drawn: Ints = self.members[np.minimum(place, len(self.members) - 1)]
        return drawn


def one_group(weights: Floats) -> GroupedDraw:
    """All members in group 0."""
    return GroupedDraw(np.zeros(len(weights), dtype=np.int64), weights, 1)


def draw_columns(rng: np.random.Generator, weights: Floats, rows: Ints) -> Ints:
    """For each entry of `rows` a column of that row of `weights`, drawn by its weight."""
    bounds = np.cumsum(weights, axis=1, dtype=np.float64)
    keys = (bounds / bounds[:, -1:] + np.arange(len(weights))[:, None]).ravel()
    place = np.searchsorted(keys, rows + rng.random(len(rows)), side="right")
    columns: Ints = np.clip(place - rows * weights.shape[1], 0, weights.shape[1] - 1)
    return columns
