"""Events of sessions: who (a session) took up what (an item) when.

A session is a run of events under one id, in the order of time. Sessions are held out by the time of their last event,
as in the benchmarks of Ludewig, Jannach, "Evaluation of session-based recommendation algorithms" (UMUAI 2018).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class SessionEvents:
    """Parallel arrays (n_events,), in the order of time: session ids, item ids (0 or more) and times (any unit)."""

    sessions: Ids
    items: Ids
    times: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.sessions)


def from_arrays(sessions: ArrayLike, items: ArrayLike, times: ArrayLike) -> SessionEvents:
    """Put events in the order of time; those of one time stay as they were given.

    ValueError for arrays of different lengths or more than one dimension, ids that are not whole numbers, item ids
    below 0, or times that are not finite.
    """
    session_column, item_column = as_ids(sessions, "Session ids"), as_ids(items, "Item ids")
    time_column = np.asarray(times, dtype=np.float64)
    if not session_column.shape == item_column.shape == time_column.shape or time_column.ndim != 1:
        raise ValueError("sessions, items and times must be of one dimension and the same length.")
    if not np.isfinite(time_column).all():
        raise ValueError("Times must be finite.")
    if item_column.size and item_column.min() < 0:
        raise ValueError("Item ids must be 0 or more.")
    order = np.argsort(time_column, kind="stable")
    return SessionEvents(session_column[order], item_column[order], time_column[order])


def concatenate(first: SessionEvents, second: SessionEvents) -> SessionEvents:
    """The events of both in the order of time."""
    return from_arrays(
        np.concatenate([first.sessions, second.sessions]),
        np.concatenate([first.items, second.items]),
        np.concatenate([first.times, second.times]),
    )


def split_last(events: SessionEvents, share: float = 0.1) -> tuple[SessionEvents, SessionEvents]:
    """The events of all sessions but the last, and those of the last `share` of the sessions (by their last event).

    ValueError where `share` is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must be between 0 and 1, not {share}.")
    reversed_ids = events.sessions[::-1]
    found, last = np.unique(reversed_ids, return_index=True)
    latest_first = found[np.argsort(last, kind="stable")]
    held_out = np.isin(events.sessions, latest_first[: round(share * len(found))])
    return _where(events, ~held_out), _where(events, held_out)


def item_sequences(events: SessionEvents) -> list[Ids]:
    """The items of each session, in the order of time; sessions in the order of their ids."""
    order = np.argsort(events.sessions, kind="stable")
    starts = np.flatnonzero(np.diff(events.sessions[order])) + 1
    return np.split(events.items[order], starts) if len(events) else []


def next_item_queries(events: SessionEvents) -> Iterator[tuple[Ids, int]]:
    """(the items so far, the next one) for every event of a session but its first."""
    for sequence in item_sequences(events):
        for length in range(1, len(sequence)):
            yield sequence[:length], int(sequence[length])


def as_ids(values: ArrayLike, what: str = "Ids") -> Ids:
    """`values` as int64. ValueError where they are not whole numbers."""
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iu":
        raise ValueError(f"{what} must be whole numbers, not {array.dtype}.")
    return array.astype(np.int64, copy=False)


def _where(events: SessionEvents, kept: NDArray[np.bool_]) -> SessionEvents:
    return SessionEvents(events.sessions[kept], events.items[kept], events.times[kept])
