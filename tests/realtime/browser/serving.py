"""An ASGI application in a thread of the test's process, with the pages that tests look at beside it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeVar

import uvicorn

from realtime.asgi_types import Application, Receive, Scope, Send
from tests.site import free_port, wait_for

T = TypeVar("T")
HERE = Path(__file__).parent
CLIENT = HERE.parents[2] / "realtime/static/realtime/client.js"
PAGE = b'<!doctype html><title>Page</title><script type="module" src="/page.js"></script>'
FILES: dict[str, tuple[bytes, Callable[[], bytes]]] = {
    "/page": (b"text/html", lambda: PAGE),
    "/elsewhere": (b"text/html", lambda: b"<!doctype html><title>Elsewhere</title>"),
    "/page.js": (b"text/javascript", (HERE / "page.js").read_bytes),
    "/static/realtime/client.js": (b"text/javascript", CLIENT.read_bytes),
}


class ThreadedServer:
    """Serves an application, and FILES, on a port of its own that it keeps when it is started anew."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._port = free_port()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self._port}"

    def start(self) -> None:
        config = uvicorn.Config(
            self._serve_all,
            port=self._port,
            interface="asgi3",
            lifespan="off",
            log_level="critical",
            ws="websockets-sansio",
            timeout_graceful_shutdown=5,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="server of a test")
        self._thread.start()
        wait_for(lambda: self._server.started)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()

    def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it in the server's event loop, and return its result."""

        async def done() -> T:
            return await work()

        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(20)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve()

    async def _serve_all(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] not in FILES:
            await self._application(scope, receive, send)
            return
        content_type, read = FILES[scope["path"]]
        policy = b"default-src 'self'; connect-src *"  # pages of other sites connect to this one
        headers = [(b"content-type", content_type), (b"content-security-policy", policy)]
        await answer(send, 200, read(), headers)


async def answer(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})
