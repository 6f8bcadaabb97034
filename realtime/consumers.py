"""The WebSocket transport (docs/realtime.md specifies the messages)."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import Any, ClassVar

import orjson
import redis
import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from prometheus_client import Gauge

from realtime import tokens
from realtime.hub import Subscription, get_hub
from realtime.sessions import Login, ended_logins
from realtime.subscriptions import streams_for

MAX_SUBSCRIPTIONS = 10  # a connection
MAX_SOCKETS = 20  # a user, in one process
MAX_MESSAGE = 40 * 1024  # characters: a position is the largest thing a client sends
MAX_WAITING = 200  # events that wait for a slow connection; then it is told to load its data anew
SEND_TIMEOUT = 20.0  # seconds that a connection may take for one frame
BURST, RATE = 30.0, 5.0  # messages at once, and a second
LOGIN_CHECK = 4.0  # seconds between looks at whether connections may stay

# Close codes; those from 4500 on mean "come back with your position".
NOT_LOGGED_IN, TOO_MANY, BAD_MESSAGE, TOO_FAST = 4401, 4409, 4400, 4429
TOO_SLOW, UNAVAILABLE = 4508, 4503

SOCKETS = Gauge("tributary_realtime_sockets", "Open WebSockets.", multiprocess_mode="livesum")
logger = structlog.get_logger(__name__)


class StreamConsumer(AsyncWebsocketConsumer):
    """One socket with any number of subscriptions up to MAX_SUBSCRIPTIONS."""

    open_sockets: ClassVar[dict[int, set[StreamConsumer]]] = defaultdict(set)
    _guard: ClassVar[asyncio.Task[None] | None] = None

    async def connect(self) -> None:
        self.subscriptions: dict[str, Subscription] = {}
        self.kinds: dict[str, tuple[str, str]] = {}
        self.login: Login | None = None
        self._waiting: list[dict[str, Any]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._allowance, self._seen = BURST, time.monotonic()
        await self.accept()
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.close(NOT_LOGGED_IN)
            return
        if len(self.open_sockets[user.pk]) >= MAX_SOCKETS:
            await self.close(TOO_MANY)
            return
        self.login = Login(user.pk, self.scope["session"].session_key, user.get_session_auth_hash())
        self.open_sockets[user.pk].add(self)
        SOCKETS.inc()
        self._start_guard()

    async def disconnect(self, code: int) -> None:
        for subscription in self.subscriptions.values():
            get_hub().unsubscribe(subscription)
        self.subscriptions.clear()
        for task in [*self._tasks, *filter(None, [self._flushing])]:
            task.cancel()
        if self.login and self in self.open_sockets[self.login.user]:
            SOCKETS.dec()
            self.open_sockets[self.login.user].discard(self)
            if not self.open_sockets[self.login.user]:
                del self.open_sockets[self.login.user]

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.login is None:
            return
        if not self._may_speak():
            await self.close(TOO_FAST)
            return
        try:
            message = check_message(text_data)
        except ValueError as error:
            self._queue({"type": "error", "message": str(error)})
            return
        if message["type"] == "ping":
            self._queue({"type": "pong"})
        elif message["type"] == "unsubscribe":
            self._drop(message["id"])
        else:
            await self._subscribe(message)

    async def _subscribe(self, message: dict[str, str]) -> None:
        name, kind, argument = message["id"], message["kind"], message.get("arg", "")
        self._drop(name)
        if len(self.subscriptions) >= MAX_SUBSCRIPTIONS:
            text = f"A connection has at most {MAX_SUBSCRIPTIONS} subscriptions; unsubscribe from one first."
            self._queue({"type": "error", "id": name, "message": text})
            return
        streams = await database_sync_to_async(streams_for)(kind, self.scope["user"], argument)
        if streams is None:
            text = f"There is no subscription {kind!r} with this argument for you."
            self._queue({"type": "error", "id": name, "message": text})
            return
        subscription = self.subscriptions[name] = Subscription(self, name)
        self.kinds[name] = (kind, argument)
        known = tokens.decode(message["position"]) or {} if message.get("position") else None
        try:
            whole = await get_hub().subscribe(subscription, {stream: (known or {}).get(stream) for stream in streams})
        except redis.RedisError as error:
            logger.warning("subscription_failed", error=repr(error))
            await self.close(UNAVAILABLE)
            return
        # A position that lacks a stream is from before it came in: what happened in between is not known.
        whole = whole and (known is None or all(stream in known for stream in streams))
        self._queue({"type": "subscribed", "id": name, "position": subscription.token})
        if not whole:
            self.resync(subscription)

    def _drop(self, name: str) -> None:
        if subscription := self.subscriptions.pop(name, None):
            get_hub().unsubscribe(subscription)
            self.kinds.pop(name, None)

    # What the hub calls.

    def events(self, subscription: Subscription, events: list[dict[str, Any]]) -> None:
        news = [event for event in events if event.get("type") != "resubscribe"]
        if news:
            self._queue({"type": "events", "id": subscription.name, "events": news, "position": subscription.token})
        for event in events:
            if event.get("type") == "resubscribe":
                self._spawn(self._resubscribe(subscription, str(event.get("position", ""))))

    def resync(self, subscription: Subscription) -> None:
        self._queue({"type": "resync", "id": subscription.name, "position": subscription.token})

    async def _resubscribe(self, subscription: Subscription, position: str) -> None:
        """Ask the rule again: streams that came in are read from `position` on, those that went out are dropped."""
        if subscription.name not in self.kinds:
            return
        kind, argument = self.kinds[subscription.name]
        streams = await database_sync_to_async(streams_for)(kind, self.scope["user"], argument)
        have = set(subscription.positions)
        get_hub().unsubscribe(subscription, have - set(streams or ()))
        known = tokens.decode(position) or {}
        added = {stream: known.get(stream) for stream in streams or () if stream not in have}
        if added and not await get_hub().subscribe(subscription, added):
            self.resync(subscription)

    # Sending.

    def _queue(self, message: dict[str, Any]) -> None:
        """Send soon. A connection too slow for what happens gets a resync instead of a growing queue."""
        if len(self._waiting) >= MAX_WAITING:
            names = {waiting["id"] for waiting in self._waiting if "id" in waiting}
            self._waiting = [{"type": "resync", "id": name} for name in sorted(names)][:MAX_SUBSCRIPTIONS]
        self._waiting.append(message)
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        while self._waiting:
            message = self._waiting.pop(0)
            try:
                async with asyncio.timeout(SEND_TIMEOUT):
                    await self.send(text_data=orjson.dumps(message).decode())
            except TimeoutError:
                self._waiting.clear()
                await self.close(TOO_SLOW)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _may_speak(self) -> bool:
        now = time.monotonic()
        self._allowance = min(BURST, self._allowance + (now - self._seen) * RATE) - 1
        self._seen = now
        return self._allowance >= 0

    # Staying logged in.

    @classmethod
    def _start_guard(cls) -> None:
        if cls._guard is None or cls._guard.done() or cls._guard.get_loop() is not asyncio.get_running_loop():
            cls._guard = asyncio.create_task(cls._watch_logins())

    @classmethod
    async def _watch_logins(cls) -> None:
        """Close the sockets of those who logged out, were banned or changed their password."""
        while cls.open_sockets:
            await asyncio.sleep(LOGIN_CHECK)
            sockets = [socket for sockets in cls.open_sockets.values() for socket in sockets]
            try:
                ended = await ended_logins({socket.login for socket in sockets if socket.login})
            except Exception as error:
                logger.warning("logins_not_checked", error=repr(error))
                continue
            for socket in sockets:
                if socket.login in ended:
                    socket._waiting.clear()
                    await socket.close(NOT_LOGGED_IN)


def check_message(text: str | None) -> dict[str, str]:
    """A client's message: an object of texts with a known "type"; ValueError says what is wrong with it."""
    if text is None:
        raise ValueError("Messages are JSON in text frames, not binary ones.")
    if len(text) > MAX_MESSAGE:
        raise ValueError(f"A message has at most {MAX_MESSAGE} characters.")
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"This is not JSON: {error}") from error
    if not isinstance(message, dict) or not all(isinstance(value, str) for value in message.values()):
        raise ValueError("A message is an object whose values are texts.")
    needed = {"subscribe": ("id", "kind"), "unsubscribe": ("id",), "ping": ()}.get(message.get("type", ""))
    if needed is None:
        raise ValueError('The "type" of a message is "subscribe", "unsubscribe" or "ping".')
    for field in needed:
        if not 0 < len(message.get(field, "")) <= 64:
            raise ValueError(f'A message of type "{message["type"]}" needs "{field}": 1 to 64 characters.')
    return message
