"""One subscription of one connection: how far its reader has got in each stream, and what waits to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import orjson
from prometheus_client import Counter

from realtime import tokens
from realtime.coalescing import coalesce
from realtime.limits import COALESCED, MAX_FRAME, MAX_PENDING_BYTES, MAX_PENDING_EVENTS
from realtime.news import News
from realtime.scripts import Position
from realtime.subscriptions import Filter

_NO_FILTERS: Mapping[str, Filter] = {}

RESYNCS = Counter("tributary_realtime_resyncs", "Subscriptions told to load their data anew.")
COALESCINGS = Counter("tributary_realtime_coalescings", "Times that events that waited for a slow reader became fewer.")


class Outgoing(NamedTuple):
    """A message about a subscription: its type, its JSON, and the position that it brings its reader to, if it does."""

    type: str
    text: str
    position: str | None


class Subscription:
    """`positions` are what was taken over from the streams; the reader has got everything up to there, or will at the
    next `take_message`, or is about to be told to reload."""

    __slots__ = (
        "_bytes", "_coalesce_at", "_events", "_id", "_resync",
        "arg", "filters", "identifier", "kind", "positions", "ready", "renewal",
    )  # fmt: skip

    def __init__(self, identifier: str, kind: str, arg: str) -> None:
        self.identifier = identifier
        self._id = orjson.dumps(identifier).decode()
        self.kind = kind
        self.arg = arg
        self.positions: dict[str, Position] = {}
        self.filters = _NO_FILTERS
        self.ready = False  # whether it has caught up, and takes part in deliveries
        self.renewal: str | None = None  # position for streams that a resubscribe event brings
        self._events: list[str] = []
        self._bytes = 0
        self._coalesce_at = COALESCED
        self._resync = False

    def take(self, name: str, news: News) -> None:
        """Take over what of a stream's news is new to this reader. They say up to where they go."""
        mine, until = self.positions[name], news.until
        if until is None or mine >= until:
            return
        if mine != news.since:
            missing = until.offset - mine.offset
            if mine.epoch != until.epoch or missing > len(news.all):
                self.lose({name: until})
                return
            news = News(news.all[len(news.all) - missing :], until)
        self.positions[name] = until
        self.add(name, news)

    def add(self, name: str, news: News) -> None:
        """Let these events of a stream be sent."""
        if news.renewal is not None:
            self.renewal = news.renewal
        if self._resync:
            return
        if (only := self.filters.get(name)) is None:
            self._events += news.texts
            self._bytes += news.size
        else:
            passed = [text for text, event in zip(news.texts, news.parsed, strict=True) if only.passes(event)]
            self._events += passed
            self._bytes += sum(len(text.encode()) for text in passed)
        if len(self._events) > self._coalesce_at:
            self._coalesce()
        if len(self._events) > MAX_PENDING_EVENTS or self._bytes > MAX_PENDING_BYTES:
            self.lose({})

    def _coalesce(self) -> None:
        """What says the same becomes one. Where that helped little, it is tried again only when much more waits."""
        COALESCINGS.inc()
        self._events = coalesce(self._events)
        self._bytes = sum(len(event.encode()) for event in self._events)
        self._coalesce_at = max(COALESCED, 2 * len(self._events))

    def lose(self, positions: Mapping[str, Position]) -> None:
        """Go on from `positions`, and let the reader be told to load everything anew.

        What was lost may have asked for a renewal.
        """
        self.positions |= positions
        self.renewal = self.renewal or ""
        self._clear()
        self._resync = True

    @property
    def has_news(self) -> bool:
        return self._resync or bool(self._events)

    def take_message(self) -> Outgoing | None:
        """The next message for the reader, as much of what waits as fits into one, or None."""
        if self._resync:
            self._resync = False
            RESYNCS.inc()
            return self._outgoing("resync", f'{{"type":"resync","id":{self._id}')
        if not self._events:
            return None
        events = self._events
        if self._bytes + len(events) > MAX_FRAME // 2 and len(events) > 1:
            return self._part()
        message = self._outgoing("events", f'{{"type":"events","id":{self._id},"events":[{",".join(events)}]')
        self._clear()
        return message

    def _part(self) -> Outgoing:
        """The first half of what waits. It has no position, because that is known for all of it only."""
        size, count = 0, 0
        for event in self._events[:-1]:
            size += len(event.encode()) + 1
            if count and size > MAX_FRAME // 2:
                break
            count += 1
        part, self._events = self._events[:count], self._events[count:]
        self._bytes = sum(len(event.encode()) for event in self._events)
        return Outgoing("events", f'{{"type":"events","id":{self._id},"events":[{",".join(part)}]}}', None)

    def subscribed_message(self, position: str) -> Outgoing:
        """The answer to the client's "subscribe" from `position`.

        Where news follow, it still speaks of the old position, also if that is none: a connection may break between the
        two messages, and a resync must not be lost with it.
        """
        token = position if self.has_news and position else self.token
        quoted = orjson.dumps(token).decode()  # it is the client's own text, and may name anything
        return Outgoing("subscribed", f'{{"type":"subscribed","id":{self._id},"position":{quoted}}}', token)

    @property
    def token(self) -> str:
        return tokens.encode(self.positions)

    def _outgoing(self, type_: str, beginning: str) -> Outgoing:
        token = self.token
        return Outgoing(type_, f'{beginning},"position":"{token}"}}', token)

    def _clear(self) -> None:
        self._events.clear()
        self._bytes = 0
        self._coalesce_at = COALESCED
