"""A connection over a WebSocket whose subscriptions are operations of GraphQL, each with a reader of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from itertools import count
from typing import Any

import orjson

from realtime.asgi_types import Receive
from realtime.consumers import SocketConnection
from realtime.messages import MessageError, check_fields, read_object
from realtime.subscription import Outgoing


class _Reader:
    """Who follows one subscription: what it was answered, and whether there may be more for it."""

    __slots__ = ("answers", "woken")

    def __init__(self) -> None:
        self.answers: deque[dict[str, Any]] = deque()  # two at most: that it stands, and that it was ended
        self.woken = asyncio.Event()


class GraphQLConnection(SocketConnection):
    """Holds what is new in each subscription until its reader takes it, as every connection does.

    A reader takes the next message when its last one was sent. So of a slow client's each subscription waits with one
    message, and with what is bounded in `limits.py`.
    """

    __slots__ = ("_numbers", "_one_at_a_time", "_readers", "_receive")
    transport = "graphql"

    def __init__(self, receive: Receive, *about: Any) -> None:
        super().__init__(*about)
        self._receive = receive
        self._readers: dict[str, _Reader] = {}
        self._numbers = count(1)  # names of subscriptions
        self._one_at_a_time = asyncio.Lock()

    async def hear(self) -> str | None:
        """The client's next message, or None when it has gone. Raises Closed as every socket."""
        event = await self._receive()
        return None if event["type"] == "websocket.disconnect" else self._text_of(event)

    async def say(self, message: Any) -> None:
        """Send a message, when the client has taken those before."""
        async with self._one_at_a_time:
            self._busy = True
            try:
                await self._send({"type": "websocket.send", "text": orjson.dumps(message).decode()})
            except (OSError, RuntimeError):  # the client has gone, or is being closed; `hear` is about to say so
                return
            finally:
                self._busy = False
                self._sent += 1

    async def follow(self, asked: dict[str, str | None]) -> AsyncGenerator[dict[str, Any], None]:
        """What is said about a subscription, from its beginning on; MessageError where it is denied, or ended."""
        message = check_fields({"id": str(next(self._numbers)), **asked}, "subscribe")
        self.subscribe(message)
        reader = self._readers[message.id] = _Reader()
        try:
            while True:
                reader.woken.clear()
                while said := self._next_for(message.id, reader):
                    if said["type"] == "error":
                        raise MessageError(said["message"], message.id, said["code"])
                    yield said
                await reader.woken.wait()
        finally:
            del self._readers[message.id]
            if message.id in self._subscriptions:
                self.unsubscribe(message.id)

    def _next_for(self, identifier: str, reader: _Reader) -> dict[str, Any] | None:
        if reader.answers:
            return reader.answers.popleft()
        subscription = self._subscriptions.get(identifier)  # none where it was ended, which an answer says
        message = subscription.take_message() if subscription and subscription.ready else None
        return read_object(message.text) if message else None

    def _reply(self, outgoing: Outgoing) -> None:
        answer = read_object(outgoing.text)
        if reader := self._readers.get(answer.get("id", "")):
            reader.answers.append(answer)
            reader.woken.set()

    def _send_soon(self) -> None:
        for identifier, reader in self._readers.items():
            if (subscription := self._subscriptions.get(identifier)) and subscription.has_news:
                reader.woken.set()
