"""The sessions that a model knows, each growing event by event, and the graph of their transitions kept true to them.

The graph is always that of the kept sessions as they are, whatever the way they came to be: a session that is evicted,
or an event that falls off the front of a long one, takes its transitions along.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.session_data import SessionEvents, from_arrays
from ml.transitions import TransitionGraph


class SessionStore:
    """The `max_sessions` sessions that grew last, of each the last `max_session_length` events."""

    def __init__(self, graph: TransitionGraph, max_sessions: int, max_session_length: int) -> None:
        self._graph = graph
        self._max_sessions = max_sessions
        self._max_session_length = max_session_length
        # The items and times of each session, in the order in which the sessions last grew.
        self._sessions: dict[int, tuple[list[int], list[float]]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def update(self, events: SessionEvents) -> None:
        """Add events one after the other; one that its session has already (same item and time) is ignored."""
        columns = (events.sessions.tolist(), events.items.tolist(), events.times.tolist())
        for session, item, time in zip(*columns, strict=True):
            self._add(session, item, time)
            if len(self._sessions) > self._max_sessions:
                items, _ = self._sessions.pop(next(iter(self._sessions)))
                self._graph.count_sequence(items, -1)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """`sessions` and `lengths` (n_sessions,), `items` and `times` (n_events,), one session behind the other."""
        kept = list(self._sessions.values())
        return {
            "sessions": np.array(list(self._sessions), dtype=np.int64),
            "lengths": np.array([len(items) for items, _ in kept], dtype=np.int64),
            "items": np.array([item for items, _ in kept for item in items], dtype=np.int64),
            "times": np.array([time for _, times in kept for time in times], dtype=np.float64),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Fill an empty store with what `to_arrays` gave. ValueError where the arrays do not fit together."""
        sessions, lengths = arrays["sessions"], arrays["lengths"]
        if len(lengths) != len(sessions) or (lengths < 1).any() or len(np.unique(sessions)) != len(sessions):
            raise ValueError("Each session must be there once, with a length of at least 1.")
        if lengths.sum() != len(arrays["items"]):
            raise ValueError(f"Sessions of {lengths.sum()} events in all do not fit to {len(arrays['items'])} items.")
        from_arrays(np.repeat(sessions, lengths), arrays["items"], arrays["times"])  # for its checks
        ends = np.cumsum(lengths)
        starts = ends - lengths
        backwards = np.diff(arrays["times"]) < 0
        if np.delete(backwards, starts[1:] - 1).any():
            raise ValueError("The events of a session must be in the order of time.")
        items, times = arrays["items"].tolist(), arrays["times"].tolist()
        for session, start, end in zip(sessions.tolist(), starts.tolist(), ends.tolist(), strict=True):
            self._sessions[session] = (items[start:end], times[start:end])
            self._graph.count_sequence(items[start:end])

    def _add(self, session: int, item: int, time: float) -> None:
        items, times = self._sessions.get(session, ([], []))
        place = bisect_right(times, time)
        if item in items[bisect_left(times, time) : place]:
            return
        self._sessions.pop(session, None)
        self._sessions[session] = (items, times)
        if place == len(items):
            for distance, earlier in enumerate(reversed(items[-self._graph.window :]), start=1):
                self._graph.count(earlier, item, distance)
            items.append(item)
            times.append(time)
        else:
            self._graph.count_sequence(items, -1)
            items.insert(place, item)
            times.insert(place, time)
            self._graph.count_sequence(items)
        if len(items) > self._max_session_length:
            for distance, later in enumerate(items[1 : 1 + self._graph.window], start=1):
                self._graph.count(items[0], later, distance, -1)
            del items[0], times[0]
