"""One WebSocket: its subscriptions, and what waits to be sent over it.

Events are not queued one by one: each subscription keeps what is new for its reader (bounded, see `limits.py`), and the
socket, whenever it can take more, gets all of it in one message. So a slow reader costs memory up to a bound, then gets
told to reload, and is dropped when it takes nothing at all. It comes back with its position.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import orjson
import redis
import structlog

from realtime import tokens
from realtime.asgi_types import Receive, Send
from realtime.hub import SUBSCRIPTIONS, Hub
from realtime.limits import MAX_REPLIES, MAX_SUBSCRIPTIONS, Allowance, Close
from realtime.messages import Message, MessageError, check_message
from realtime.sessions import Visitor, in_database
from realtime.subscription import Subscription
from realtime.subscriptions import Request, grants

logger = structlog.get_logger(__name__)


class Closed(Exception):
    """The connection is to end with this code."""

    def __init__(self, code: Close, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Connection:
    """Serves one accepted socket. `run` returns when the client has gone; it raises Closed where it is to be closed."""

    def __init__(self, hub: Hub, visitor: Visitor, receive: Receive, send: Send) -> None:
        self.hub = hub
        self.visitor = visitor
        self._receive = receive
        self._send = send
        self._subscriptions: dict[str, Subscription] = {}
        self._replies: deque[str] = deque()
        self._dirty: dict[Subscription, None] = {}
        self._allowance = Allowance()
        self._flushing: asyncio.Task[None] | None = None
        self._renewing: dict[Subscription, asyncio.Task[None]] = {}
        self._sending_since: float | None = None
        self._serving: asyncio.Task[None] | None = None
        self._end: Closed | None = None

    async def run(self) -> None:
        self._serving = asyncio.current_task()
        try:
            while True:
                event = await self._receive()
                if event["type"] == "websocket.disconnect":
                    return
                await self._handle(event)
        except asyncio.CancelledError:
            if self._end is None or self._serving is None:
                raise
            # It ends here and not by this cancellation, which time-outs after it would otherwise take for their own.
            self._serving.uncancel()
            raise self._end from None
        finally:
            SUBSCRIPTIONS.dec(len(self._subscriptions))
            for subscription in self._subscriptions.values():
                self.hub.leave(subscription, subscription.positions)
            await self._stop_tasks()

    async def _stop_tasks(self) -> None:
        tasks = [*self._renewing.values(), *([self._flushing] if self._flushing else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # What the hub calls

    def has_news(self, subscription: Subscription) -> None:
        if subscription.renewal is not None and subscription not in self._renewing:
            self._renewing[subscription] = asyncio.create_task(self._renew(subscription))
        if subscription.has_news:
            self._dirty[subscription] = None
            self._flush_soon()

    def dismiss(self) -> None:
        self._close(Closed(Close.NOT_LOGGED_IN, "You are no longer logged in."))

    def turn_away(self) -> None:
        self._close(Closed(Close.TRY_LATER, "This process cannot go on; come back."))

    def drop_if_stalled(self, seconds: float) -> None:
        if self._sending_since is not None and asyncio.get_running_loop().time() - self._sending_since > seconds:
            self._close(Closed(Close.TOO_SLOW, "Nothing was taken for too long."))

    def _close(self, end: Closed) -> None:
        if self._end is None and self._serving is not None:
            self._end = end
            self._serving.cancel()

    # What the client sends

    async def _handle(self, event: dict[str, Any]) -> None:
        if not self._allowance.take():
            raise Closed(Close.TOO_MANY, "Too many messages.")
        if event.get("text") is None:
            raise Closed(Close.BAD_MESSAGE, "Messages are text.")
        try:
            message = check_message(event["text"])
            if message.type == "subscribe":
                await self._subscribe(message)
            elif message.type == "unsubscribe":
                self._unsubscribe(message)
            else:
                self._reply('{"type":"pong"}')
        except MessageError as error:
            answer = {"type": "error", "message": str(error)} | (
                {"id": error.subscription} if error.subscription else {}
            )
            self._reply(orjson.dumps(answer).decode())

    async def _subscribe(self, message: Message) -> None:
        if message.id in self._subscriptions:
            raise MessageError(f"There is a subscription {message.id!r} already.", message.id)
        if len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            raise MessageError(f"A socket has at most {MAX_SUBSCRIPTIONS} subscriptions.", message.id)
        (grant,) = await in_database(grants, message.kind, [Request(self.visitor.user_id, message.arg)])
        if grant is None:
            raise MessageError(f"There is nothing to subscribe to as {message.kind!r} {message.arg!r}.", message.id)
        subscription = Subscription(message.id, message.kind, message.arg)
        await self._catch_up(subscription, grant.names, message.position)
        self._subscriptions[message.id] = subscription
        SUBSCRIPTIONS.inc()
        self._reply(subscription.subscribed_frame(message.position))
        self.has_news(subscription)

    async def _catch_up(self, subscription: Subscription, names: list[str], token: str) -> None:
        """Join the streams from the position that the client has, or from now."""
        known = tokens.decode(token) or {}
        wanted = {name: known.get(name) for name in names}
        try:
            found = await self.hub.join(subscription, self, wanted)
        except (redis.RedisError, OSError) as error:
            logger.warning("cannot_subscribe", error=repr(error))
            raise Closed(Close.TRY_LATER, "Streams cannot be read just now.") from None
        subscription.ready = True
        if (token and None in wanted.values()) or any(part.events is None for part in found.values()):
            subscription.lose({})
        else:
            for part in found.values():
                subscription.add(part.events or ())

    def _unsubscribe(self, message: Message) -> None:
        subscription = self._subscriptions.pop(message.id, None)
        if subscription is None:
            raise MessageError(f"There is no subscription {message.id!r}.", message.id)
        SUBSCRIPTIONS.dec()
        self._dirty.pop(subscription, None)
        if renewing := self._renewing.pop(subscription, None):
            renewing.cancel()
        self.hub.leave(subscription, subscription.positions)

    async def _renew(self, subscription: Subscription) -> None:
        """Renew as often as was asked, one after the other: of two at once, the one that knows less might end last."""
        try:
            while subscription.renewal is not None:
                position, subscription.renewal = subscription.renewal, None
                await self._ask_again(subscription, position)
        except Exception as error:
            logger.warning("cannot_renew_subscription", error=repr(error))
            self._close(Closed(Close.TRY_LATER, "The subscription could not be renewed."))
        else:
            del self._renewing[subscription]
            self.has_news(subscription)

    async def _ask_again(self, subscription: Subscription, token: str) -> None:
        """Ask the rule: join the streams that are new, from `token` where it names them, and leave those it denies."""
        (grant,) = await in_database(grants, subscription.kind, [Request(self.visitor.user_id, subscription.arg)])
        names = grant.names if grant else None
        for gone in set(subscription.positions) - set(names or ()):
            self.hub.leave(subscription, [gone])
            del subscription.positions[gone]
        if added := [name for name in names or () if name not in subscription.positions]:
            known = tokens.decode(token) or {}
            found = await self.hub.join(subscription, self, {name: known.get(name) for name in added})
            if any(name not in known or part.events is None for name, part in found.items()):
                subscription.lose({})
            for part in found.values():
                subscription.add(part.events or ())

    # What is sent

    def _reply(self, frame: str) -> None:
        if len(self._replies) >= MAX_REPLIES:
            raise Closed(Close.TOO_SLOW, "Too many answers wait to be taken.")
        self._replies.append(frame)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while frame := self._next_frame():
                self._sending_since = loop.time()
                await self._send({"type": "websocket.send", "text": frame})
                self._sending_since = None
        except OSError:  # the client has gone; `run` is about to hear of it
            self._replies.clear()
            self._dirty.clear()

    def _next_frame(self) -> str | None:
        if self._replies:
            return self._replies.popleft()
        while self._dirty:
            subscription = next(iter(self._dirty))
            if frame := subscription.take_frame():
                return frame
            del self._dirty[subscription]
        return None
