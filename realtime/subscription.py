"""One subscription of one connection: how far its reader has got in each stream, and what waits to be sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson
from prometheus_client import Counter

from realtime import tokens
from realtime.limits import MAX_PENDING_BYTES, MAX_PENDING_EVENTS
from realtime.scripts import Position

# Written by workers into a user's own stream when the rule may give other streams now (after a follow, say).
RESUBSCRIBE = "resubscribe"

DELIVERED = Counter("tributary_realtime_delivered_events", "Events handed to connections.")
RESYNCS = Counter("tributary_realtime_resyncs", "Subscriptions told to load their data anew.")


class Subscription:
    """`positions` are what was taken over from the streams; the reader has got everything up to there, or will at the
    next `take_frame`, or is about to be told to reload."""

    __slots__ = ("_bytes", "_events", "_id", "_resync", "arg", "kind", "positions", "ready", "renewal")

    def __init__(self, identifier: str, kind: str, arg: str) -> None:
        self._id = orjson.dumps(identifier).decode()
        self.kind = kind
        self.arg = arg
        self.positions: dict[str, Position] = {}
        self.ready = False  # whether it has caught up, and takes part in deliveries
        self.renewal: str | None = None  # position for streams that a resubscribe event brings
        self._events: list[str] = []
        self._bytes = 0
        self._resync = False

    def take(self, name: str, events: Sequence[bytes], until: Position) -> None:
        """Take over those of a stream's `events`, the last of which is at `until`, that are new to this reader."""
        mine = self.positions[name]
        if mine >= until:
            return
        missing = until.offset - mine.offset
        if mine.epoch != until.epoch or missing > len(events):
            self.lose({name: until})
            return
        self.positions[name] = until
        self.add(events[len(events) - missing :])

    def add(self, events: Iterable[bytes]) -> None:
        """Let these events be sent."""
        for event in events:
            if RESUBSCRIBE.encode() in event and (body := orjson.loads(event))["type"] == RESUBSCRIBE:
                self.renewal = str(body.get("position") or "")
            elif not self._resync:
                self._events.append(event.decode())
                self._bytes += len(event)
        if len(self._events) > MAX_PENDING_EVENTS or self._bytes > MAX_PENDING_BYTES:
            self.lose({})

    def lose(self, positions: dict[str, Position]) -> None:
        """Go on from `positions`, and let the reader be told to load everything anew.

        What was lost may have asked for a renewal.
        """
        self.positions |= positions
        self.renewal = self.renewal or ""
        self._events.clear()
        self._bytes = 0
        self._resync = True

    @property
    def has_news(self) -> bool:
        return self._resync or bool(self._events)

    def take_frame(self) -> str | None:
        """The next message for the reader, all that waits in one, or None."""
        if self._resync:
            self._resync = False
            RESYNCS.inc()
            return f'{{"type":"resync","id":{self._id},"position":"{self.token}"}}'
        if not self._events:
            return None
        events = ",".join(self._events)
        DELIVERED.inc(len(self._events))
        self._events.clear()
        self._bytes = 0
        return f'{{"type":"events","id":{self._id},"events":[{events}],"position":"{self.token}"}}'

    def subscribed_frame(self, position: str) -> str:
        """The answer to the client's "subscribe" from `position`.

        Where news follow, it still speaks of the old position: a connection may break between the two messages.
        """
        token = position if self.has_news and tokens.decode(position) else self.token
        return f'{{"type":"subscribed","id":{self._id},"position":"{token}"}}'

    @property
    def token(self) -> str:
        return tokens.encode(self.positions)
