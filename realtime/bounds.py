"""How much a stream keeps, and for how long: by the first part of its name ("typing" of "typing:42")."""

from __future__ import annotations

from dataclasses import dataclass

from realtime.keys import HISTORY, STREAM_TTL


@dataclass(frozen=True, slots=True)
class Bounds:
    """`history` events, 1 to HISTORY, for `ttl` seconds since somebody last asked for the stream."""

    history: int = HISTORY
    ttl: int = STREAM_TTL


_DEFAULT = Bounds()
_bounds: dict[str, Bounds] = {}


def register(family: str, bounds: Bounds) -> None:
    """Let streams of this family (the name before the first colon) keep less than others do."""
    if not 1 <= bounds.history <= HISTORY or not 1 <= bounds.ttl <= STREAM_TTL:
        raise ValueError(f"Streams keep 1 to {HISTORY} events for 1 to {STREAM_TTL} s; {family!r} asks for {bounds}.")
    if _bounds.setdefault(family, bounds) != bounds:
        raise ValueError(f"The streams of {family!r} have other bounds already: {_bounds[family]}.")


def bounds_of(name: str) -> Bounds:
    return _bounds.get(name.partition(":")[0], _DEFAULT) if _bounds else _DEFAULT
