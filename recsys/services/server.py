"""The HTTP servers: uvicorn with this product's bounds."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvicorn

from recsys.services.protocol import BoundedProtocol, HandingOver, LeanSocketProtocol, Receiving, handing_protocol

APPLICATION = "recsys.asgi:application"
GRACE = 10  # seconds that open requests have to end when the server stops
MAX_OPEN_FILES = 65536
HANDOVER_POSSIBLE = hasattr(socket, "SOCK_SEQPACKET") and hasattr(socket, "send_fds") and os.uname().sysname == "Linux"

Drain = Callable[[], Awaitable[None]]


async def no_drain() -> None:
    """Connections are closed as they are."""


def make_config(http: type[BoundedProtocol], app: str) -> uvicorn.Config:
    """What every server here has in common."""
    return uvicorn.Config(
        app,
        interface="asgi3",
        http=http,
        loop="uvloop",
        lifespan="off",
        ws=LeanSocketProtocol,
        ws_max_size=64 * 1024,
        ws_max_queue=16,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        ws_per_message_deflate=False,  # 60 kB of buffers for each connection otherwise
        log_config=None,
        log_level="warning",  # it would write three lines for each socket
        access_log=False,  # RequestLogMiddleware writes one line for each request
        server_header=False,
        # uvicorn's own variable: the addresses of proxies whose X-Forwarded-* headers count.
        proxy_headers=bool(os.environ.get("FORWARDED_ALLOW_IPS")),
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE,
        backlog=2048,
    )


def serve_web(
    listeners: list[socket.socket], handover: Path | None, *, app: str = APPLICATION, drain: Drain = no_drain
) -> None:
    """Serve the whole site on `listeners` until SIGTERM; realtime connections go to the process behind `handover`."""
    protocol = handing_protocol(HandingOver(handover)) if handover and HANDOVER_POSSIBLE else BoundedProtocol
    _run(DrainingServer(make_config(protocol, app), drain), listeners)


def serve_sockets(
    listeners: list[socket.socket], handover: Path | None, *, app: str = APPLICATION, drain: Drain = no_drain
) -> None:
    """Serve the whole site on `listeners` and on the connections that arrive through `handover`, until SIGTERM."""
    server = SocketServer(make_config(BoundedProtocol, app), drain, handover if HANDOVER_POSSIBLE else None)
    _run(server, listeners)


class DrainingServer(uvicorn.Server):
    """A server that, once it takes no more connections, lets `drain` end those that would stay for long."""

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self._drain = drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # The application's hundred thousands of objects stay. Going through them again and again, among those of
        # connections, would stop everything for a fifth of a second each time.
        gc.collect()
        gc.freeze()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        await self._drain()
        await super().shutdown(sockets)


class SocketServer(DrainingServer):
    """A server that is also given connections by another process."""

    def __init__(self, config: uvicorn.Config, drain: Drain, handover: Path | None) -> None:
        super().__init__(config, drain)
        self._receiving = Receiving(handover, self._make_protocol) if handover else None

    def _make_protocol(self) -> BoundedProtocol:
        return BoundedProtocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._receiving:
            self._receiving.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._receiving:
            self._receiving.stop()
        await super().shutdown(sockets)


def _run(server: uvicorn.Server, listeners: list[socket.socket]) -> None:
    raise_open_file_limit()
    # uvicorn raises the signal that stopped it once more when it is done; here that is the ordinary end. Threads that
    # still serve somebody have had their time.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=listeners)


def raise_open_file_limit() -> None:
    """Each socket is an open file, and the usual soft limit is 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
