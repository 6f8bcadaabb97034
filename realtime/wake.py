"""Wake-ups: one channel-layer message to each socket server process that has readers of the streams written to.

A wake-up is a hint. One that gets lost costs its readers up to `hub.CHECK_INTERVAL`, and nothing else. Where little was
appended it tells that too: a process that is at the position before it need not ask.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import redis
from channels.layers import get_channel_layer
from django.conf import settings

from realtime.scripts import Position, StreamRead

MOST_TOLD = 8 * 1024  # bytes of events in a wake-up


def group_of(process: str) -> str:
    """The channel-layer group that a socket server process joins."""
    return f"hub.{process}"


class Appended:
    """What was appended to one stream: `events`, the first of them at `first`."""

    __slots__ = ("events", "first", "size", "whole")

    def __init__(self, first: Position, event: bytes) -> None:
        self.first = first
        self.events = [event]
        self.size = len(event)
        self.whole = True

    def add(self, position: Position, event: bytes) -> None:
        """One more, unless somebody else's came between: then this tells nothing."""
        self.whole = self.whole and position == (self.first.epoch, self.first.offset + len(self.events))
        self.events.append(event)
        self.size += len(event)


def publish(
    pipeline: redis.client.Pipeline, readers: Iterable[tuple[str, str]], appended: Mapping[str, Appended]
) -> None:
    """Add one message for each process to `pipeline`; `readers` are pairs (process, stream).

    This is `group_send` of channels_redis's pub/sub layer, done with the connection at hand: through the layer itself
    each call from synchronous code would start an event loop and connect anew (1-2 ms).
    """
    streams: dict[str, list[str]] = defaultdict(list)
    for process, stream in readers:
        streams[process].append(stream)
    for process, names in streams.items():
        message = {"type": "hub.wake", "streams": names, "told": dict(_told(names, appended))}
        pipeline.publish(f"{_prefix()}__group__{group_of(process)}", get_channel_layer().serialize(message))


def _told(names: Iterable[str], appended: Mapping[str, Appended]) -> Iterator[tuple[str, list[Any]]]:
    room = MOST_TOLD
    for name in names:
        news = appended[name]
        if news.whole and news.size <= room:
            room -= news.size
            yield name, [*news.first, news.events]


class Told(NamedTuple):
    """What a wake-up tells of a stream: what would be read there by whoever is at `since`."""

    since: Position
    read: StreamRead


def told(message: Mapping[str, Any]) -> dict[str, Told]:
    """What a wake-up tells, by stream."""
    return {
        name: Told(Position(epoch, first - 1), StreamRead(Position(epoch, first + len(events) - 1), events))
        for name, (epoch, first, events) in message.get("told", {}).items()
    }


@cache
def _prefix() -> str:
    layers: dict[str, Any] = settings.CHANNEL_LAYERS
    return str(layers["default"]["CONFIG"]["prefix"])
