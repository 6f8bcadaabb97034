"""What models learn from: all interactions as arrays, and what they say about each pair of user and item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from ml.interactions import Ids, Interactions, from_arrays
from recsys.events.strength import STRENGTH_SQL
from recsys.recommend.arrays import query_arrays

_EVENTS = f"""
SELECT user_id, item_id, ({STRENGTH_SQL})::real, extract(epoch FROM occurred_at)::float8,
       (kind IN ('like', 'rate', 'dislike', 'hide'))::int::smallint
FROM events_interaction
"""  # noqa: S608


@dataclass(frozen=True)
class Events:
    """Parallel arrays, one entry for each interaction. `times` in seconds since 1970; `verdicts`: it was outright."""

    users: Ids
    items: Ids
    strengths: NDArray[np.float32]
    times: NDArray[np.float64]
    verdicts: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.users)

    def where(self, chosen: NDArray[np.bool_]) -> Events:
        """The events that `chosen` marks."""
        return Events(
            self.users[chosen], self.items[chosen], self.strengths[chosen], self.times[chosen], self.verdicts[chosen]
        )

    def matrix(self, user_ids: Ids | None = None, item_ids: Ids | None = None) -> Interactions:
        """The liking of each user for each item: the strength of the newest verdict, or of the strongest event where
        there is no verdict; pairs that speak against the item are left out.
        """
        order = np.lexsort((self.times, self.verdicts, self.items, self.users))
        users, items = self.users[order], self.items[order]
        strengths, verdicts = self.strengths[order], self.verdicts[order]
        if not len(order):
            return from_arrays(users, items, strengths, user_ids=user_ids, item_ids=item_ids)
        starts = np.flatnonzero(np.concatenate([[True], (users[1:] != users[:-1]) | (items[1:] != items[:-1])]))
        ends = np.append(starts[1:], len(order)) - 1
        weights = np.where(verdicts[ends], strengths[ends], np.maximum.reduceat(strengths, starts))
        liked = weights > 0
        return from_arrays(
            users[starts][liked], items[starts][liked], weights[liked], user_ids=user_ids, item_ids=item_ids
        )


def read_events() -> Events:
    """All interactions there are."""
    columns = query_arrays(
        _EVENTS, (), {"users": "i8", "items": "i8", "strengths": "f4", "times": "f8", "verdicts": "i2"}
    )
    return Events(
        users=columns["users"],
        items=columns["items"],
        strengths=columns["strengths"],
        times=columns["times"],
        verdicts=columns["verdicts"].astype(bool),
    )


def interactions_fingerprint() -> str:
    """Changes whenever there is something new to learn from (or something to forget)."""
    return _fingerprint("SELECT count(*), max(received_at) FROM events_interaction")


def items_fingerprint() -> str:
    """Changes whenever items were added, changed or deleted."""
    return _fingerprint("SELECT count(*), max(id), max(updated_at) FROM catalog_item")


def _fingerprint(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return " ".join(str(value) for value in cursor.fetchone())
