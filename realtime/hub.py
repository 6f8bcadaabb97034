"""The hub: holds one process's subscriptions, is woken, reads each woken stream once and delivers to all its readers.

    worker ── append ──▶ stream (Valkey) ◀── read once a process ── hub ──▶ subscriptions ──▶ connections
       └──── wake: one message to each process with readers ───────▲

A wake-up is a hint. Every stream with readers is also looked at each CHECK_INTERVAL, which heals wake-ups that were
lost, notices a stream that was lost with Valkey's memory, and renews the presence that asks for wake-ups.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any
from weakref import WeakKeyDictionary

import redis
import structlog
from channels.layers import get_channel_layer
from django.conf import settings
from prometheus_client import Counter, Gauge

from realtime import eager, signals, streams, subscriptions, visitors, wake
from realtime.attendance import Attendance
from realtime.batches import PAUSE, SIGNAL_THREADS, WATCH_THREAD, Batches, Overloaded, in_database
from realtime.closing import Close, Closed
from realtime.limits import Addresses
from realtime.messages import Message
from realtime.news import News
from realtime.roster import Listener, Roster
from realtime.scripts import Position, StreamRead, Wanted, chunks, read_answer, read_arguments
from realtime.subscription import Subscription
from realtime.subscriptions import Grant, Request
from realtime.valkey import make_async_client
from realtime.visitors import Credentials, Refusal, Visitor

CHECK_INTERVAL = 5.0  # seconds in which every stream is looked at once
SESSION_INTERVAL = 4.0  # seconds between looks at whether visitors are still logged in
RETRY = 0.5  # seconds before Valkey is asked again after a failure
JOIN_TIMEOUT = 5.0  # seconds that a first connection waits until the process can be woken
REJOINS = 200  # a second: the rate at which the connections of a process that stops are asked to come back
LONGEST_REJOIN = 15_000  # milliseconds
READERS_AT_ONCE = 200  # who are served before anything else has its turn
DRAIN_TIMEOUT = 5.0  # seconds that connections have to say goodbye

DELIVERED = Counter("tributary_realtime_delivered_events", "Events handed to connections.")
SUBSCRIPTIONS = Gauge("tributary_realtime_subscriptions", "Subscriptions held now.", multiprocess_mode="livesum")
logger = structlog.get_logger(__name__)


class _Stream:
    """A stream with readers here, and up to where it has been delivered to them."""

    __slots__ = ("position", "readers")

    def __init__(self) -> None:
        self.position: Position | None = None
        self.readers: dict[Subscription, Listener] = {}


class Hub:
    """Lives while its event loop has connections; `of_running_loop` gives it."""

    _hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()
    _draining: WeakKeyDictionary[asyncio.AbstractEventLoop, bool] = WeakKeyDictionary()
    # Who opens one connection after the other meets another hub each time.
    _arrivals: WeakKeyDictionary[asyncio.AbstractEventLoop, Addresses] = WeakKeyDictionary()

    def __init__(self) -> None:
        self.process = f"{os.getpid()}-{secrets.token_hex(4)}"
        rate = settings.REALTIME_NEW_CONNECTIONS_PER_SECOND
        self.connections = Roster(self._arrivals.setdefault(asyncio.get_running_loop(), Addresses(rate)))
        self._streams: dict[str, _Stream] = {}
        self._woken: dict[str, None] = {}
        self._told: dict[str, wake.Told] = {}  # of those woken, what came with the wake-up
        self._work = asyncio.Event()
        self._joined = asyncio.Event()
        self._client = make_async_client()
        self._tasks: list[asyncio.Task[None]] = []
        self._attendance = Attendance(self._client, lambda: self.connections.users)
        self._visitors: Batches[Credentials, Visitor | Refusal] = Batches(
            lambda shown: in_database("visitors", visitors.find_visitors, shown), pause=PAUSE
        )
        self._reads = Batches(self._read_all)
        self._grants: dict[str, Batches[Request, Grant | None]] = {}

    @classmethod
    def of_running_loop(cls) -> Hub:
        loop = asyncio.get_running_loop()
        if loop not in cls._hubs:
            cls._hubs[loop] = cls()
        return cls._hubs[loop]

    # Who is connected

    async def admit(self, credentials: Credentials) -> Visitor:
        """Who shows these credentials. Closed where they let nobody in, or accounts cannot be read."""
        found = await self._visitors.ask(credentials)
        if isinstance(found, Refusal):
            raise Closed(Close.NOT_LOGGED_IN, found.reason)
        return found

    async def enter(self, listener: Listener) -> None:
        """Add a connection. Closed where it is one too many, the process stops, or nobody could wake it."""
        if self._draining.get(asyncio.get_running_loop()):
            raise Closed(Close.RESTARTING, "This server is about to stop.")
        if self.connections.add(listener):
            self._attendance.arrived(listener.visitor.user_id)
        if not self._tasks:
            self._start(self._listen(), self._deliver(), self._check(), self._watch(), self._attendance.keep())
        try:
            async with asyncio.timeout(JOIN_TIMEOUT):  # wait_for may lose a cancellation, and with it the end
                await self._joined.wait()
        except TimeoutError:
            raise Closed(Close.TRY_LATER, "Streams cannot be read just now.") from None

    async def exit(self, listener: Listener) -> None:
        """Remove a connection, and before the last one everything that runs for them."""
        try:
            if self.connections.has_no_other(listener):
                await self._close()
        finally:
            self.connections.remove(listener)

    def change_visitor(self, listener: Listener, visitor: Visitor) -> None:
        """Let a connection be somebody's. Closed where they have too many."""
        if self.connections.change(listener, visitor):
            self._attendance.arrived(visitor.user_id)

    async def _close(self) -> None:
        self._retire()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(
                self._reads.settle(), self._visitors.settle(), *(grants.settle() for grants in self._grants.values())
            )
        finally:  # a server that is told to hurry cancels whoever waits here
            await self._client.aclose()

    def _retire(self) -> None:
        """Leave those who come from now on to another hub."""
        loop = asyncio.get_running_loop()
        if self._hubs.get(loop) is self:
            del self._hubs[loop]

    # What they ask

    async def grant(self, kind: str, request: Request) -> Grant | None:
        """What the rule of this kind gives for a request. Raises what the database does."""
        if not subscriptions.knows(kind):
            return None
        if kind not in self._grants:
            self._grants[kind] = Batches(
                lambda requests: in_database(f"rule {kind}", subscriptions.grants, kind, requests), pause=PAUSE
            )
        return await self._grants[kind].ask(request)

    async def signal(self, message: Message, user: int | None) -> bool:
        """Say what a signal says; False where there is no such signal for this user."""

        def say() -> bool:
            events = signals.events_of(message.kind, message.name, user, message.arg)
            if events:
                streams.append(events)
            return events is not None

        return await in_database("signals", say, threads=SIGNAL_THREADS)

    # Streams

    async def join(
        self, subscription: Subscription, listener: Listener, wanted: Mapping[str, Position | None]
    ) -> dict[str, StreamRead]:
        """Make `subscription` a reader of streams, each from a position (None: from now), and return what it missed.

        From then on the hub delivers. Raises redis.RedisError where Valkey is away; then nothing has changed.
        """
        for name in wanted:
            self._streams.setdefault(name, _Stream()).readers[subscription] = listener
        try:
            found = await self._read(wanted)
            # Deliveries go on meanwhile, without those who are still catching up.
            while behind := {name: part.position for name, part in found.items() if self._is_ahead(name, part)}:
                self._wake(behind)  # were it the stream that went back, the next delivery would find out
                for name, part in (await self._read(behind)).items():
                    found[name] = _joined(found[name], part)
        except BaseException:
            self.leave(subscription, wanted)
            raise
        for name, part in found.items():
            stream = self._streams[name]
            stream.position = stream.position or part.position
            if stream.position.epoch != part.position.epoch:
                self._wake([name])  # it was lost: the others need not wait for the next check
            subscription.positions[name] = part.position
        return found

    def leave(self, subscription: Subscription, names: Iterable[str]) -> None:
        """Stop delivering these streams to `subscription`. Presence runs out by itself."""
        for name in names:
            if stream := self._streams.get(name):
                stream.readers.pop(subscription, None)
                if not stream.readers:
                    del self._streams[name]

    def _is_ahead(self, name: str, part: StreamRead) -> bool:
        position = self._streams[name].position
        return position is not None and position > part.position

    async def _read(self, wanted: Mapping[str, Position | None]) -> dict[str, StreamRead]:
        """Read streams, each from a position. What several connections read at the same time goes together."""
        return dict(zip(wanted, await self._reads.ask(list(wanted.items())), strict=True))

    async def _read_all(self, questions: Sequence[list[Wanted]]) -> list[list[StreamRead]]:
        parts = list(chunks(wanted for question in questions for wanted in question))
        pipeline = self._client.pipeline(transaction=False)
        for part in parts:
            pipeline.eval(*read_arguments(part, self.process))
        answers = await eager.to_the_end(pipeline.execute())
        found = iter([one for answer in answers for one in read_answer(answer)])
        return [list(islice(found, len(question))) for question in questions]

    # What runs while there are connections

    def _start(self, *jobs: Coroutine[Any, Any, None]) -> None:
        self._tasks = [asyncio.create_task(job, name=getattr(job, "__qualname__", None)) for job in jobs]
        for task in self._tasks:
            task.add_done_callback(self._end_if_broken)

    def _end_if_broken(self, task: asyncio.Task[None]) -> None:
        """Without one of its jobs a hub would hold connections open that never hear anything."""
        if task.cancelled() or not (error := task.exception()):
            return
        logger.error("hub_broken", job=task.get_name(), error=repr(error), exc_info=error)
        self._retire()
        for listener in self.connections:
            listener.end(Closed(Close.TRY_LATER, "This process cannot go on; come back."))

    async def _listen(self) -> None:
        """Take wake-ups from the channel layer."""
        layer = get_channel_layer()
        group = wake.group_of(self.process)
        while True:
            try:
                channel = await layer.new_channel()
                try:
                    await layer.group_add(group, channel)
                    self._joined.set()
                    self._wake(self._streams)
                    while True:
                        self._hear(await layer.receive(channel))
                finally:
                    with contextlib.suppress(redis.RedisError, OSError):
                        await layer.group_discard(group, channel)
            except (redis.RedisError, OSError) as error:
                logger.warning("hub_cannot_listen", error=repr(error))
                await asyncio.sleep(RETRY)

    def _hear(self, message: Mapping[str, Any]) -> None:
        """A wake-up, and what it tells of streams that nothing else is to be asked of."""
        told = {name: part for name, part in wake.told(message).items() if name not in self._woken}
        self._wake(message["streams"])
        self._told.update((name, part) for name, part in told.items() if name in self._woken)

    def _wake(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self._streams:
                self._woken[name] = None
                self._told.pop(name, None)  # it may not be all any more
        if self._woken:
            self._work.set()

    async def _check(self) -> None:
        """Wake every stream once in each interval, spread over it so that no delivery waits behind all of them."""
        while True:
            parts = list(chunks(iter(list(self._streams))))
            for part in parts:
                await asyncio.sleep(CHECK_INTERVAL / len(parts))
                self._wake(part)
            if not parts:
                await asyncio.sleep(CHECK_INTERVAL)
            now = asyncio.get_running_loop().time()
            for listener in self.connections:
                listener.look(now)

    async def _deliver(self) -> None:
        """Read what was woken, and hand it to the readers."""
        while True:
            await self._work.wait()
            self._work.clear()
            names, self._woken, told, self._told = self._woken, {}, self._told, {}
            wanted = {name: self._streams[name].position for name in names if name in self._streams}
            # What was told counts where it comes exactly after what has been delivered.
            found = {
                name: told[name].read for name, since in wanted.items() if name in told and told[name].since == since
            }
            unknown = {name: since for name, since in wanted.items() if name not in found}
            try:
                found |= await self._read(unknown) if unknown else {}
            except (redis.RedisError, OSError, Overloaded) as error:
                logger.warning("hub_cannot_read", error=repr(error), streams=len(wanted))
                await asyncio.sleep(RETRY)
                # Whatever else was written meanwhile has woken nobody.
                self._wake(self._streams)
                continue
            for name, since in wanted.items():
                await self._hand_out(name, since, found[name])

    async def _hand_out(self, name: str, since: Position | None, part: StreamRead) -> None:
        stream = self._streams.get(name)
        if stream is None or stream.position is None or stream.position == part.position:
            return  # left while it was being read; or nobody has caught up with it yet; or nothing is new
        if stream.position != since:
            # Caught up with, or left and joined anew, while it was read from elsewhere. No other wake-up need come.
            self._wake([name])
            return
        stream.position = part.position
        news = News(part.events or (), part.position, since)
        readers = list(stream.readers.items())
        DELIVERED.inc(len(news.texts) * len(readers))
        for place, (subscription, listener) in enumerate(readers, 1):
            if subscription.ready and name in subscription.positions:
                self._hand_to(subscription, listener, name, news if part.events is not None else None, part.position)
            if not place % READERS_AT_ONCE:
                await asyncio.sleep(0)  # pings and handshakes want their turn

    @staticmethod
    def _hand_to(
        subscription: Subscription, listener: Listener, name: str, news: News | None, position: Position
    ) -> None:
        """Hand news to a reader, or (None) that some are lost. What goes wrong with one reader is no other's matter."""
        try:
            if news is not None:
                subscription.take(name, news)
            elif subscription.positions[name] != position:
                subscription.lose({name: position})
            listener.has_news(subscription)
        except Exception as error:
            logger.error("cannot_hand_out", kind=subscription.kind, error=repr(error), exc_info=error)
            listener.end(Closed(Close.TRY_LATER, "What is new could not be sent."))

    async def _watch(self) -> None:
        """Close the connections of those who may not be here any more. All are looked at once in SESSION_INTERVAL."""
        while True:
            turns = len(self.connections) // visitors.CHUNK + 1
            await asyncio.sleep(SESSION_INTERVAL / turns)
            # Taken after the pause: whoever came meanwhile may have logged out meanwhile.
            part = self.connections.take_turn(-(-len(self.connections) // turns))
            try:
                await self._dismiss_departed(part)
            except Exception as error:  # the database is away: nobody can log out either
                logger.warning("hub_cannot_check_sessions", error=repr(error))

    async def _dismiss_departed(self, listeners: list[Listener]) -> None:
        shown = [listener.visitor for listener in listeners if listener.visitor.user_id is not None]
        departed = (
            set(await in_database("departed", visitors.find_departed, shown, threads=WATCH_THREAD)) if shown else set()
        )
        for listener in listeners:
            if listener.visitor in departed:
                listener.end(Closed(Close.NOT_LOGGED_IN, "You are no longer logged in."))

    # The end

    @classmethod
    async def drain(cls) -> None:
        """Take no more connections in this event loop, and send those that there are away, each to come back at a
        time of its own. Returns when they have gone, or after DRAIN_TIMEOUT.
        """
        loop = asyncio.get_running_loop()
        cls._draining[loop] = True
        if (hub := cls._hubs.get(loop)) is None:
            return
        every = 1000 / REJOINS
        for place, listener in enumerate(hub.connections):
            retry_in = int(place * every) % LONGEST_REJOIN
            listener.end(Closed(Close.RESTARTING, "This server restarts.", retry_in))
        deadline = loop.time() + DRAIN_TIMEOUT
        while len(hub.connections) and loop.time() < deadline:
            await asyncio.sleep(0.02)


def _joined(earlier: StreamRead, later: StreamRead) -> StreamRead:
    whole = earlier.events is not None and later.events is not None
    return StreamRead(later.position, [*(earlier.events or ()), *(later.events or ())] if whole else None)
