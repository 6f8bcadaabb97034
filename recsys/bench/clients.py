"""WebSocket clients that cost little: thousands of them share the machine with the server that they measure.

A connection is one protocol object without a task. Frames are told apart by their headers, and what is in them is left
to whoever listens; servers' frames are neither masked nor, from uvicorn, in fragments.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Sequence
from typing import cast

from django.core.management.base import CommandError

PATH = "/realtime/ws"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
AT_ONCE = 50  # handshakes under way
PATIENCE = 60.0  # seconds for what has to come

OnText = Callable[["SocketClient", bytes, float], None]

_MASK = bytes(4)  # clients have to mask what they send; this mask leaves it as it is


class SocketClient(asyncio.Protocol):
    """One WebSocket. `on_text(client, text, arrived)` gets each message, `arrived` being `time.perf_counter()`.

    `opened` is done when the handshake is, and fails with OSError where the server refuses it or goes away before.
    `lost` is done when the connection has ended.
    """

    def __init__(self, port: int, cookie: str, on_text: OnText) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self._request = _handshake(port, cookie)
        self.on_text = on_text
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def send(self, text: bytes) -> None:
        self._write(TEXT, text)

    def abort(self) -> None:
        """Drop the connection as a network that is gone would, without a word."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's are not of this class, but like it
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        arrived = time.perf_counter()
        data = self._buffer + data if self._buffer else data
        if not self.opened.done():
            head, complete, data = data.partition(b"\r\n\r\n")
            if not complete:
                self._buffer = head
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                self.opened.set_exception(ConnectionRefusedError(head.partition(b"\r\n")[0].decode("latin-1")))
                self.abort()
                return
            self.opened.set_result(None)
        at = 0
        while (frame := find_frame(data, at)) is not None:
            opcode, begin, at = frame
            self._take(opcode, data[begin:at], arrived)
        self._buffer = data[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionResetError("The server closed the connection."))
        if not self.lost.done():
            self.lost.set_result(None)

    def _take(self, opcode: int, body: bytes, arrived: float) -> None:
        if opcode == TEXT:
            self.on_text(self, body, arrived)
        elif opcode == PING:
            self._write(PONG, body)
        elif opcode == CLOSE:
            self._write(CLOSE, body[:2])

    def _write(self, opcode: int, body: bytes) -> None:
        if self._transport is not None:
            self._transport.write(make_frame(opcode, body))


async def open_socket(port: int, cookie: str, on_text: OnText) -> SocketClient:
    """An open WebSocket to localhost, with the Cookie header `cookie`; OSError where it cannot be had."""
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: SocketClient(port, cookie, on_text), "127.0.0.1", port)
    try:
        await client.opened
    except BaseException:
        client.abort()
        raise
    return client


async def join(port: int, cookie: str, subscription: bytes, on_text: OnText) -> SocketClient:
    """An open WebSocket whose `subscription` stands (b"": it has none); from then on `on_text` gets its messages.

    Raises OSError where there is no server, CommandError where it denies the subscription or says nothing.
    """
    answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def take_answer(client: SocketClient, text: bytes, arrived: float) -> None:
        client.on_text = on_text
        answer.set_result(text)

    client = await open_socket(port, cookie, take_answer if subscription else on_text)
    if subscription:
        client.send(subscription)
        try:
            async with asyncio.timeout(PATIENCE):
                text = await answer
        except TimeoutError:
            raise CommandError("The server never answered a subscription.") from None
        if b'"subscribed"' not in text:
            raise CommandError(f"The server answered a subscription with {text!r}.")
    return client


async def join_first(port: int, cookie: str, subscription: bytes, on_text: OnText) -> SocketClient:
    """`join` a server that is still starting, as soon as it answers."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return await join(port, cookie, subscription, on_text)
        except OSError:
            if time.monotonic() > deadline:
                raise CommandError(f"No server answered on port {port} within {PATIENCE:.0f} s.") from None
            await asyncio.sleep(0.1)


async def join_all(port: int, cookies: Sequence[str], subscription: bytes, on_text: OnText) -> list[SocketClient]:
    """`join` with each cookie, AT_ONCE at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def join_one(cookie: str) -> SocketClient:
        async with places:
            return await join(port, cookie, subscription, on_text)

    async with asyncio.TaskGroup() as group:
        joining = [group.create_task(join_one(cookie)) for cookie in cookies]
    return [task.result() for task in joining]


def make_frame(opcode: int, body: bytes) -> bytes:
    """A whole client's frame."""
    length = len(body)
    if length < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
    elif length < 2**16:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, length)
    return head + _MASK + body


def find_frame(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Opcode, begin and end of the body of the server's frame that begins at `at`; None where it is not all there."""
    if len(data) < at + 2:
        return None
    length, begin = data[at + 1], at + 2
    if length >= 126:
        size = 2 if length == 126 else 8
        begin += size
        if len(data) < begin:
            return None
        length = int.from_bytes(data[begin - size : begin], "big")
    end = begin + length
    return (data[at] & 0x0F, begin, end) if len(data) >= end else None


def _handshake(port: int, cookie: str) -> bytes:
    lines = [
        f"GET {PATH} HTTP/1.1",
        f"Host: localhost:{port}",
        f"Origin: http://localhost:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Cookie: {cookie}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()
