"""WSGI code inside an ASGI server: the whole bounded body, one hop to a thread, the whole response back.

Django's own ASGI handler runs the same views at a fraction of the speed, because each synchronous middleware costs it
two thread hops (docs/decisions/one-port.md has the figures).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from recsys.services.environ import build_environ
from recsys.services.replies import FileChunks, Reply, Streams, problem

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

BODY_TIMEOUT = 60.0  # seconds for the whole body to arrive


class WSGIBridge:
    """An ASGI application that serves HTTP requests with the WSGI application `app`.

    Bounds: `threads` requests run and `queue` wait, then 503; a body above `max_body` bytes gets 413, and 503 where all
    bodies held at the time exceed `max_buffered`; a response of unknown length keeps a thread, so half of them may.
    """

    def __init__(
        self,
        app: WSGIApp,
        *,
        threads: int = 8,
        queue: int = 256,
        max_body: int = 10 * 1024 * 1024,
        max_buffered: int = 256 * 1024 * 1024,
    ) -> None:
        self.app = app
        self.capacity = threads + queue
        self.max_body = max_body
        self.max_buffered = max_buffered
        self.streams = Streams(limit=max(1, threads // 2))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="wsgi")
        self._running = 0
        self._buffered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()
        try:
            refusal = await self._read_body(scope, receive, body) if _has_body(scope["headers"]) else None
            if refusal is None and self._running >= self.capacity:
                refusal = problem(503, "The server is busy. Try again in a moment.", ("Retry-After", "1"))
            if refusal is not None:
                await refusal.send(send)
            else:
                await self._run(scope, bytes(body), receive, send)
        finally:
            self._buffered -= len(body)

    async def _read_body(self, scope: Scope, receive: Receive, body: bytearray) -> Reply | None:
        """Fill `body`, keeping the account of what all requests hold; a reply where the request is refused."""
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        if declared.isdigit() and int(declared) > self.max_body:
            return self._too_large()
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return problem(400, "The connection closed before the whole body had arrived.")
                    chunk = message.get("body", b"")
                    body += chunk
                    self._buffered += len(chunk)
                    if len(body) > self.max_body:
                        return self._too_large()
                    if self._buffered > self.max_buffered:
                        return problem(503, "The server is receiving too much at once. Try again in a moment.")
                    more = message.get("more_body", False)
        except TimeoutError:
            return problem(408, f"The body did not arrive within {BODY_TIMEOUT:.0f} seconds.")
        return None

    def _too_large(self) -> Reply:
        return problem(413, f"The body is larger than {self.max_body} bytes. Send it in smaller parts.")

    async def _run(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        self._running += 1
        try:
            environ = build_environ(scope, body)
            reply = await loop.run_in_executor(self._pool, self._respond, environ, loop, receive, send)
        finally:
            self._running -= 1
        if reply is not None:
            await reply.send(send)

    def _respond(
        self, environ: dict[str, Any], loop: asyncio.AbstractEventLoop, receive: Receive, send: Send
    ) -> Reply | None:
        """In a thread: run the application. A short or finite response is returned; a stream is sent from here."""
        reply = Reply()
        result = self.app({**environ, "wsgi.file_wrapper": FileChunks}, reply.start)
        try:
            if reply.is_short(result):
                reply.body = b"".join(result)
                return reply
            return self.streams.send(reply, result, loop, receive, send)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()


def _has_body(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a body is announced; most requests have none, and waiting for its end costs them time."""
    return any((name == b"content-length" and value != b"0") or name == b"transfer-encoding" for name, value in headers)
