"""How events of a type become fewer for a reader who is slow: the first step before being told to reload."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

Event = dict[str, Any]
# Events of one type in their order, at least two → one event that says as much. Its type may be another one, with a
# way of its own to be merged further: what was merged is merged again when more comes.
Merge = Callable[[Sequence[Event]], Event]

# Of a type: the types that are merged together, and how.
_merges: dict[str, tuple[tuple[str, ...], Merge]] = {}


def register(types: Sequence[str], merge: Merge) -> None:
    """Let waiting events of these types, and of one key, be merged together, but with no others.

    Registering another way for a type is an error.
    """
    for name in types:
        if _merges.setdefault(name, (tuple(types), merge)) != (tuple(types), merge):
            raise ValueError(f"Events of type {name!r} are merged by {_merges[name]!r} already.")


def latest(events: Sequence[Event]) -> Event:
    """The way to merge events each of which says all that there is to say: the last one holds."""
    return events[-1]


def coalesce(events: Sequence[str]) -> list[str]:
    """Fewer JSON texts of events that say the same. A merged event takes the place of the last one of its parts."""
    parsed: list[Event | None] = [orjson.loads(event) for event in events]
    places: dict[tuple[tuple[tuple[str, ...], Merge], Any], list[int]] = {}
    for place, event in enumerate(parsed):
        if event is not None and (way := _merges.get(event["type"])):
            places.setdefault((way, event.get("key")), []).append(place)
    merged = list(events)
    for ((_, merge), _), group in places.items():
        if len(group) > 1:
            merged[group[-1]] = orjson.dumps(merge([event for place in group if (event := parsed[place])])).decode()
            for place in group[:-1]:
                merged[place] = ""
    return [event for event in merged if event]
