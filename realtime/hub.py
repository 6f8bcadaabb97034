"""The hub: holds all connections of one server process, and brings them what is appended to their streams.

    wake-up (channel layer) ─▶ read each woken stream once, from where the hub is ─▶ every subscriber of it
    timer                   ─▶ read all streams: heals lost wake-ups, and says that this process has readers of them

A subscriber has a position of its own in each stream. It gets what lies beyond it: all of that, or a resync.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import orjson
import structlog
from channels.layers import get_channel_layer
from prometheus_client import Counter, Gauge

from realtime import tokens
from realtime.keys import PRESENCE_TTL
from realtime.scripts import Position, StreamRead, chunks, read_answer, read_arguments
from realtime.valkey import make_async_client
from realtime.wake import group_of

CHECK_INTERVAL = 10.0  # seconds: the most that a lost wake-up can cost
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds between attempts while Valkey is away
assert CHECK_INTERVAL < PRESENCE_TTL / 2

DELIVERED = Counter("tributary_realtime_delivered_events", "Events handed to connections.")
RESYNCS = Counter("tributary_realtime_resyncs", "Subscriptions told to load their data anew.")
SUBSCRIPTIONS = Gauge("tributary_realtime_subscriptions", "Subscriptions held now.", multiprocess_mode="livesum")
logger = structlog.get_logger(__name__)


class Sink(Protocol):
    """Where a subscription's news go; neither call may block."""

    def events(self, subscription: Subscription, events: list[dict[str, Any]]) -> None: ...

    def resync(self, subscription: Subscription) -> None: ...


class Subscription:
    """One connection's interest in some streams, with its position in each. `None`: not read yet."""

    def __init__(self, sink: Sink, name: str) -> None:
        self.sink = sink
        self.name = name
        self.positions: dict[str, Position | None] = {}

    @property
    def token(self) -> str:
        """The position from which the client can go on after what it was sent so far."""
        return tokens.encode({name: position for name, position in self.positions.items() if position})

    def receive(self, stream: str, found: StreamRead, since: Position | None) -> None:
        """Take what was read from `stream` after `since`: what lies beyond the own position, or a resync."""
        own = self.positions.get(stream)
        if own is None or own == found.position:
            return
        whole = found.events is not None and since is not None and own.epoch == since.epoch == found.position.epoch
        self.positions[stream] = found.position
        if not whole or since is None or found.events is None or own.offset < since.offset:
            RESYNCS.inc()
            self.sink.resync(self)
        elif own.offset < found.position.offset:
            events = [orjson.loads(event) for event in found.events[own.offset - since.offset :]]
            DELIVERED.inc(len(events))
            self.sink.events(self, events)
        else:
            self.positions[stream] = own  # it is ahead: it read the stream later than the hub did


class Hub:
    """See the module. Belongs to the event loop in which it was started; nothing here is for other threads."""

    def __init__(self) -> None:
        self.process = secrets.token_hex(6)
        self._subscribers: dict[str, set[Subscription]] = defaultdict(set)
        self._positions: dict[str, Position] = {}
        self._client = make_async_client()
        self._reading = asyncio.Lock()
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._check())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def subscribe(self, subscription: Subscription, wanted: Mapping[str, Position | None]) -> bool:
        """Add streams to a subscription, each from a position on, or from now on (None).

        Returns whether all that happened since the positions is known; the sink has got it then. Raises
        redis.RedisError where Valkey is away: nothing is subscribed then.
        """
        async with self._reading:
            found = await self._read(wanted)
            whole = True
            for stream, part in found.items():
                # The hub may not have read that far yet, and may be further than a stream that it holds already.
                self._subscribers[stream].add(subscription)
                self._positions.setdefault(stream, part.position)
                subscription.positions[stream] = part.position
                whole = whole and part.events is not None
            SUBSCRIPTIONS.inc(len(found))
        missed = [orjson.loads(event) for part in found.values() for event in part.events or ()]
        if whole and missed:
            DELIVERED.inc(len(missed))
            subscription.sink.events(subscription, missed)
        if not whole:
            RESYNCS.inc()
        return whole

    def unsubscribe(self, subscription: Subscription, streams: Iterable[str] | None = None) -> None:
        """Drop some streams of a subscription, or all of them."""
        for stream in list(subscription.positions if streams is None else streams):
            subscription.positions.pop(stream, None)
            subscribers = self._subscribers.get(stream, set())
            if subscription in subscribers:
                SUBSCRIPTIONS.dec()
            subscribers.discard(subscription)
            if not subscribers:
                self._subscribers.pop(stream, None)
                self._positions.pop(stream, None)

    async def catch_up(self, streams: Iterable[str]) -> None:
        """Read these streams from where the hub is, and give their subscribers what is new."""
        async with self._reading:
            since = {stream: self._positions[stream] for stream in streams if stream in self._positions}
            for stream, found in (await self._read(since)).items():
                if stream not in self._positions:
                    continue  # the last subscriber left meanwhile
                self._positions[stream] = found.position
                for subscription in list(self._subscribers.get(stream, ())):
                    subscription.receive(stream, found, since[stream])

    async def _read(self, wanted: Mapping[str, Position | None]) -> dict[str, StreamRead]:
        found: dict[str, StreamRead] = {}
        for part in chunks(iter(wanted.items())):
            answer = await self._client.execute_command(  # type: ignore[no-untyped-call]
                "EVAL", *read_arguments(dict(part), self.process)
            )
            found |= read_answer(dict(part), answer)
        return found

    async def _listen(self) -> None:
        """Wait for wake-ups for ever; those that come while one is worked on are taken together with the next."""
        pause = FIRST_PAUSE
        while True:
            layer = get_channel_layer()
            assert layer is not None
            channel = await layer.new_channel()
            try:
                await layer.group_add(group_of(self.process), channel)
                while True:
                    message = await layer.receive(channel)
                    await self.catch_up(message["streams"])
                    pause = FIRST_PAUSE
            except asyncio.CancelledError:
                with contextlib.suppress(Exception):
                    await layer.group_discard(group_of(self.process), channel)
                raise
            except Exception as error:
                logger.warning("hub_waits_for_valkey", error=repr(error), seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _check(self) -> None:
        """Read all streams now and then."""
        pause = CHECK_INTERVAL
        while True:
            await asyncio.sleep(pause)
            try:
                await self.catch_up(list(self._positions))
                pause = CHECK_INTERVAL
            except Exception as error:
                logger.warning("hub_check_failed", error=repr(error))
                pause = 1.0


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def get_hub() -> Hub:
    """The hub of the running event loop, which is the process's."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        for closed in [other for other in _hubs if other.is_closed()]:
            del _hubs[closed]
        _hubs[loop] = Hub()
    return _hubs[loop]


async def close_hub() -> None:
    """Stop the running loop's hub, for servers and tests that end in an orderly way."""
    if hub := _hubs.pop(asyncio.get_running_loop(), None):
        await hub.stop()
