"""The WebSocket: one connection of a client, which may hold many subscriptions."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from channels.consumer import AsyncConsumer

from realtime import eager
from realtime.admission import admit_scope
from realtime.asgi_types import Receive, Scope, Send
from realtime.closing import Close, Closed
from realtime.connection import Connection
from realtime.limits import IDLE, STALLED, Allowance
from realtime.messages import MessageError, check_message
from realtime.visitors import Visitor

CLOSE_TIMEOUT = 1.0  # seconds for the close message


class SocketConnection(Connection):
    """A connection over a WebSocket."""

    __slots__ = ("_allowance", "_busy", "_idle_since", "_seen", "_seen_at", "_send", "_sending", "_sent")
    transport = "websocket"

    def __init__(self, send: Send, *about: Any) -> None:
        super().__init__(*about)
        self._send = send
        self._sending: asyncio.Task[None] | None = None
        self._busy = False
        self._sent = 0  # messages; and how many they were when it was looked at last
        self._seen, self._seen_at = 0, 0.0
        self._idle_since = asyncio.get_running_loop().time()
        self._allowance = Allowance()

    async def serve(self, receive: Receive) -> None:
        """Serve it until the client has gone; Closed where it is to be closed."""
        async with self:
            while (event := await receive())["type"] != "websocket.disconnect":
                await self._handle(event)

    async def _handle(self, event: dict[str, Any]) -> None:
        text = self._text_of(event)
        try:
            await self._obey(text)
        except MessageError as error:
            self.reply(error.answer())

    def _text_of(self, event: dict[str, Any]) -> str:
        """The message that came; Closed where it is none, or one too many."""
        if not self._allowance.take():
            raise Closed(Close.TOO_MANY, "Too many messages.")
        if event.get("text") is None:
            raise Closed(Close.BAD_MESSAGE, "Messages are text.")
        return str(event["text"])

    async def _obey(self, text: str) -> None:
        message = check_message(text)
        if message.type == "subscribe":
            self.subscribe(message)
        elif message.type == "unsubscribe":
            self.unsubscribe(message.id)
        elif message.type == "authenticate":
            await self.authenticate(message.token)
        elif message.type == "signal":
            await self.signal(message)
        else:
            self.reply({"type": "pong"})

    async def _stop(self) -> None:
        self._busy = True  # nothing more is begun
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        await super()._stop()

    def look(self, now: float) -> None:
        if not self._busy or self._sent != self._seen:
            self._seen, self._seen_at = self._sent, now
        elif now - self._seen_at > STALLED:
            self.end(Closed(Close.TOO_SLOW, "Nothing was taken for too long."))
        if self._subscriptions:
            self._idle_since = now
        elif now - self._idle_since > IDLE:
            self.end(Closed(Close.TOO_SLOW, "Nothing was subscribed to for too long."))

    def _send_soon(self) -> None:
        if not self._busy:
            self._busy = True
            self._sending = eager.start(self._send_all())

    async def _send_all(self) -> None:
        try:
            while message := self._next_message():
                self._sent += 1
                await self._send({"type": "websocket.send", "text": message.text})
        except (OSError, RuntimeError):  # it has gone, or the server is closing it; `serve` is about to hear of it
            return  # and nothing more is sent
        self._busy = False


async def end_socket(send: Send, end: Closed, *last: dict[str, Any]) -> None:
    """Close a socket after these last messages."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            for message in (*last, {"type": "websocket.close", "code": int(end.code), "reason": str(end)[:100]}):
                await send(message)
    except (OSError, TimeoutError):
        return  # it has gone already, or takes nothing, not even this


class StreamConsumer(AsyncConsumer):
    """Serves `/realtime/ws`.

    A Channels consumer without a channel of its own: the hub listens to the channel layer for all of a process's
    consumers (a group for each user costs ten times as much a message, and twice the memory a connection).

    A refused socket is accepted first and then closed with a code: before it is accepted, a browser's code learns
    nothing of why.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        self.base_send = send
        await self.send({"type": "websocket.accept"})
        try:
            visitor, address = await self.admit(scope)
            scope["headers"].clear()  # a kilobyte that the server would keep for as long as the socket is open
            await SocketConnection(send, visitor, address).serve(receive)
        except Closed as end:
            await end_socket(send, end, {"type": "websocket.send", "text": orjson.dumps(end.goodbye()).decode()})

    async def admit(self, scope: Scope) -> tuple[Visitor, str]:
        """Who it is, and from where; Closed where they are refused."""
        return await admit_scope(scope)


class NoSuchPathConsumer(StreamConsumer):
    """For paths without a socket: an unrouted one would be an exception in the server's log."""

    async def admit(self, scope: Scope) -> tuple[Visitor, str]:
        raise Closed(Close.NO_SUCH_PATH, "There is no socket at this path.")
