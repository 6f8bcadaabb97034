"""Responses of WSGI code on their way to the ASGI server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from http import HTTPStatus
from typing import IO, Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

SHORT = 1024 * 1024  # bytes: a file up to here is read at once, so that a slow client keeps no thread
CHUNK = 64 * 1024
SEND_TIMEOUT = 30.0  # seconds that one chunk of a stream may take to leave


class FileChunks:
    """`wsgi.file_wrapper`: a file in chunks of a size that suits a socket."""

    def __init__(self, file: IO[bytes], block_size: int = CHUNK) -> None:
        self.file = file

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.file.read(CHUNK), b"")

    def close(self) -> None:
        self.file.close()


class Reply:
    """Status, headers and, where it is all there, the body."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], None]:
        """WSGI's `start_response`."""
        self.status = int(status[:3])
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return self._write

    def _write(self, data: bytes) -> None:
        raise RuntimeError("WSGI's write() is not supported; return an iterable.")

    def is_short(self, result: Iterable[bytes]) -> bool:
        """Whether `result` can be joined: Django has it in memory, or it says that it is short."""
        if not getattr(result, "streaming", isinstance(result, FileChunks)):
            return True
        length = next((value for name, value in self.headers if name == b"content-length"), b"")
        return length.isdigit() and int(length) <= SHORT

    def start_message(self) -> dict[str, Any]:
        return {"type": "http.response.start", "status": self.status, "headers": self.headers}

    async def send(self, send: Send) -> None:
        if self.status >= 200 and self.status not in (204, 304) and not self._has_length():
            self.headers.append((b"content-length", str(len(self.body)).encode()))
        await send(self.start_message())
        await send({"type": "http.response.body", "body": self.body})

    def _has_length(self) -> bool:
        return any(name == b"content-length" for name, _ in self.headers)


def problem(status: int, detail: str, *headers: tuple[str, str]) -> Reply:
    """An error of the server itself in the one shape that all errors here have (RFC 9457)."""
    reply = Reply()
    reply.start(str(status), [("Content-Type", "application/problem+json"), *headers])
    title = HTTPStatus(status).phrase
    reply.body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail}).encode()
    return reply


class Streams:
    """Send responses of unknown or great length, at most `limit` at the same time, from the thread that makes them."""

    def __init__(self, limit: int) -> None:
        self._places = threading.BoundedSemaphore(limit)

    def send(
        self, reply: Reply, chunks: Iterable[bytes], loop: asyncio.AbstractEventLoop, receive: Receive, send: Send
    ) -> Reply | None:
        """Return None when all is sent or the client is gone, or a reply that refuses where all places are taken."""
        if not self._places.acquire(blocking=False):
            return problem(503, "Too many downloads are under way. Try again in a moment.", ("Retry-After", "5"))
        gone = asyncio.run_coroutine_threadsafe(_disconnected(receive), loop)
        try:
            self._call(send(reply.start_message()), loop)
            for chunk in chunks:
                if gone.done():
                    return None
                self._call(send({"type": "http.response.body", "body": chunk, "more_body": True}), loop)
            self._call(send({"type": "http.response.body", "body": b""}), loop)
        finally:
            gone.cancel()
            self._places.release()
        return None

    @staticmethod
    def _call(sending: Awaitable[None], loop: asyncio.AbstractEventLoop) -> None:
        async def wait() -> None:
            async with asyncio.timeout(SEND_TIMEOUT):
                await sending

        asyncio.run_coroutine_threadsafe(wait(), loop).result()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
