"""uvicorn's HTTP protocol with the bounds it lacks, and with a side door for realtime connections."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from asyncio.events import TimerHandle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from recsys.services.routing import REALTIME_PREFIX

MAX_HEADERS = 64 * 1024  # bytes of request line and headers together
UNANSWERED = 40.0  # seconds in which the other end must have confirmed what was sent to it
HEADERS_TIMEOUT = 20.0  # seconds from the connection to the end of its first request's headers


class TooManyHeaders(Exception):
    """Raised inside the parser, which turns it into a 400."""


class BoundedProtocol(HttpToolsProtocol):
    """Ends connections that send endless headers or none."""

    adopted = False  # given by another process for one request, after which the client comes in by the front door again
    _waiting: TimerHandle | None = None
    _received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        _give_up_after(transport, UNANSWERED)
        self._waiting = self.loop.call_later(HEADERS_TIMEOUT, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._received = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()
        if self.adopted and self.cycle is not None:
            self.cycle.keep_alive = False

    def _count(self, length: int) -> None:
        self._received += length
        if self._received > MAX_HEADERS:
            raise TooManyHeaders

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def _give_up_after(transport: asyncio.Transport, seconds: float) -> None:
    """Let the connection end when the other end has confirmed nothing for so long; the kernel tries for 15 minutes."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))


class LeanSocketProtocol(WebSocketsSansIOProtocol):
    """Forgets a handshake that is over: a kilobyte for each open socket."""

    def start_keepalive(self) -> None:
        """Called once the handshake is complete."""
        super().start_keepalive()
        del self.request, self.response

    def keepalive_timeout(self) -> None:
        """Called where a ping was not answered in time. Closing alone would wait until the rest was taken: for ever."""
        super().keepalive_timeout()
        self.transport.abort()


class HandingOver:
    """The sending half: passes connections to the socket server, with what they have said so far.

    Where the socket server is not there or cannot keep up, the caller serves the connection itself: it runs the same
    application. So this is a matter of load, never of correctness.
    """

    RETRY = 0.5  # seconds between attempts to reach a socket server that was not there
    PREFIXES = tuple(f"{method} {REALTIME_PREFIX}".encode() for method in ("GET", "POST"))

    def __init__(self, path: Path) -> None:
        self.path = path
        self._peer: socket.socket | None = None
        self._next_attempt = 0.0

    def wants(self, data: bytes) -> bool:
        """Whether `data`, the beginning of a request, is for the realtime prefix and fits one message."""
        return data.startswith(self.PREFIXES) and len(data) <= MAX_HEADERS

    def give(self, fileno: int, data: bytes) -> bool:
        """Send a duplicate of the connection away; False where the caller must keep it."""
        peer = self._peer or self._connect()
        if peer is None:
            return False
        try:
            socket.send_fds(peer, [data], [fileno])
        except BlockingIOError:
            return False
        except OSError:
            peer.close()
            self._peer = None
            return False
        return True

    def _connect(self) -> socket.socket | None:
        if time.monotonic() < self._next_attempt:
            return None
        self._next_attempt = time.monotonic() + self.RETRY
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        peer.setblocking(False)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * 1024 * 1024)
        try:
            peer.connect(str(self.path))
        except OSError:
            peer.close()
            return None
        self._peer = peer
        return peer


def handing_protocol(handing_over: HandingOver) -> type[BoundedProtocol]:
    """A protocol class for uvicorn that gives realtime connections to `handing_over`."""

    class HandingProtocol(BoundedProtocol):
        def data_received(self, data: bytes) -> None:
            idle = self.cycle is None or (self.cycle.response_complete and not self.pipeline)
            if idle and handing_over.wants(data) and self._give_away(data):
                return
            super().data_received(data)

        def _give_away(self, data: bytes) -> bool:
            self.transport.pause_reading()
            if handing_over.give(self.transport.get_extra_info("socket").fileno(), data):
                self._unset_keepalive_if_required()
                self.transport.abort()  # closes our descriptor; the connection lives on in the other
                return True
            self.transport.resume_reading()
            return False

    return HandingProtocol


class Receiving:
    """The receiving half: a listening Unix socket whose messages are connections."""

    BACKLOG = 16

    def __init__(self, path: Path, make_protocol: Callable[[], BoundedProtocol]) -> None:
        self.path = path
        self.make_protocol = make_protocol
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._peers: set[socket.socket] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Listen. The file appears under its name only when connections are answered."""
        scratch = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        scratch.unlink(missing_ok=True)
        self._listener.bind(str(scratch))
        scratch.chmod(0o600)
        self._listener.listen(self.BACKLOG)
        self._listener.setblocking(False)
        asyncio.get_running_loop().add_reader(self._listener.fileno(), self._accept)
        scratch.rename(self.path)

    def stop(self) -> None:
        loop = asyncio.get_running_loop()
        for sock in (self._listener, *self._peers):
            loop.remove_reader(sock.fileno())
            sock.close()
        self._peers.clear()

    def _accept(self) -> None:
        peer, _ = self._listener.accept()
        peer.setblocking(False)
        self._peers.add(peer)
        asyncio.get_running_loop().add_reader(peer.fileno(), self._receive, peer)

    def _receive(self, peer: socket.socket) -> None:
        """Take a bounded number of connections, then let the loop serve what it has."""
        loop = asyncio.get_running_loop()
        for _ in range(32):
            try:
                data, descriptors, _, _ = socket.recv_fds(peer, MAX_HEADERS, 1)
            except BlockingIOError:
                return
            except OSError:
                data, descriptors = b"", []
            if not descriptors:
                loop.remove_reader(peer.fileno())
                self._peers.discard(peer)
                peer.close()
                return
            task = loop.create_task(self._adopt(socket.socket(fileno=descriptors[0]), data))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _adopt(self, connection: socket.socket, data: bytes) -> None:
        connection.setblocking(False)

        def make() -> BoundedProtocol:
            protocol = self.make_protocol()
            protocol.adopted = True
            made = protocol.connection_made

            def connection_made(transport: asyncio.Transport) -> None:
                made(transport)
                protocol.data_received(data)  # before anything that arrives from now on

            protocol.connection_made = connection_made  # type: ignore[method-assign]
            return protocol

        try:
            await asyncio.get_running_loop().connect_accepted_socket(make, connection)
        except OSError:
            connection.close()
