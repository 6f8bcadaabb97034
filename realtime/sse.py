"""Server-sent events: `GET /realtime/sse?subscribe={…}&subscribe={…}`."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs

import orjson

from realtime import eager, tokens
from realtime.admission import admit_scope
from realtime.asgi_types import Receive, Scope, Send
from realtime.closing import Close, Closed
from realtime.connection import Connection
from realtime.limits import MAX_SUBSCRIPTIONS, PING_AFTER, STALLED
from realtime.messages import Message, MessageError, check_fields, read_object
from realtime.origins import header
from realtime.requests import BadRequest, refuse, sharing
from realtime.scripts import Position
from realtime.subscription import Outgoing

HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would keep events back
]
TOO_LONG = "-"  # instead of a position of more streams than one can name: answered by a resync, not by a refusal
RETRY_IN = 2000  # milliseconds after which a browser comes back by itself


class EventSourceConnection(Connection):
    """A connection that a response without end carries to the client. The client says nothing more over it."""

    __slots__ = ("_got", "_send", "_sending", "_since", "_waits")
    transport = "sse"

    def __init__(self, send: Send, *about: Any) -> None:
        super().__init__(*about)
        self._send = send
        self._sending: asyncio.Task[None] | None = None
        self._since = asyncio.get_running_loop().time()  # when the last message was begun
        self._waits = False
        self._got: dict[str, dict[str, Position]] = {}  # by subscription: where the messages sent have brought it

    async def serve(self, receive: Receive, wanted: list[Message]) -> None:
        """Serve it until the client has gone; Closed where it is to be closed."""
        async with self:
            await self._write(f"retry: {RETRY_IN}\n\n")
            for message in wanted:
                self.subscribe(message)
            while (await receive())["type"] != "http.disconnect":
                pass

    async def _stop(self) -> None:
        self._waits = True  # nothing more is begun
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        await super()._stop()

    def look(self, now: float) -> None:
        if self._waits and now - self._since > STALLED:
            self.end(Closed(Close.TOO_SLOW, "Nothing was taken for too long."))
        elif not self._waits and now - self._since > PING_AFTER:
            self.reply({"type": "ping"})

    def _send_soon(self) -> None:
        if not self._waits:
            self._waits = True
            self._sending = eager.start(self._send_all())

    async def _send_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while message := self._next_message():
                self._since = loop.time()
                await self._write(self._framed(message))
        except OSError:  # the client has gone; `serve` is about to hear of it
            return
        self._waits = False

    async def _write(self, text: str) -> None:
        await self._send({"type": "http.response.body", "body": text.encode(), "more_body": True})

    def _framed(self, message: Outgoing) -> str:
        position = ""
        if message.position is not None:
            self._got[str(read_object(message.text)["id"])] = tokens.decode(message.position) or {}
            # Before all have been answered, those that have not would be taken to be where the others are.
            if self._subscriptions.keys() <= self._got.keys():
                position = f"id: {self._position()}\n"
        return f"event: {message.type}\n{position}data: {message.text}\n\n"

    def _position(self) -> str:
        """Of all subscriptions together. What two of them share counts from where the one is that has got less."""
        together: dict[str, Position] = {}
        for positions in self._got.values():
            for name, position in positions.items():
                together[name] = min(position, together.get(name, position))
        return tokens.encode(together)


async def event_stream(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve `/realtime/sse`."""
    try:
        wanted = _wanted(scope)
        visitor, address = await admit_scope(scope)
    except (Closed, BadRequest) as why:
        await refuse(send, scope, why)
        return
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS + sharing(scope)})
    connection = EventSourceConnection(send, visitor, address)
    try:
        await connection.serve(receive, wanted)
    except OSError:
        return
    except Closed as end:
        await _say_goodbye(send, end)


async def _say_goodbye(send: Send, end: Closed) -> None:
    retry = "" if end.retry_in is None else f"retry: {end.retry_in}\n"
    text = f"{retry}event: goodbye\ndata: {orjson.dumps(end.goodbye()).decode()}\n\n"
    try:
        async with asyncio.timeout(1):
            await send({"type": "http.response.body", "body": text.encode(), "more_body": False})
    except (OSError, TimeoutError):
        return


def _wanted(scope: Scope) -> list[Message]:
    """The subscriptions that the address names, from where the client has got to."""
    texts = parse_qs(scope["query_string"].decode("latin-1")).get("subscribe", [])
    if not 0 < len(texts) <= MAX_SUBSCRIPTIONS:
        raise BadRequest(
            f'Name 1 to {MAX_SUBSCRIPTIONS} subscriptions, each as ?subscribe={{"id":"1","kind":"timeline"}}.'
        )
    reached = header(scope, b"last-event-id")
    if len(reached) > tokens.LONGEST:
        reached = TOO_LONG
    try:
        fields = [read_object(text) for text in texts]
        wanted = [check_fields(one | ({"position": reached} if reached else {}), "subscribe") for one in fields]
    except MessageError as error:
        raise BadRequest(f"A subscription in the address: {error}") from None
    if len({message.id for message in wanted}) < len(wanted):
        raise BadRequest("Each subscription has an id of its own.")
    return wanted
