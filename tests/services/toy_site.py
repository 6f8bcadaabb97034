"""A tiny site for tests of the servers: each answer says which process gave it."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from recsys.services.commands import listen
from recsys.services.routing import Site
from recsys.services.server import serve_sockets, serve_web


def pages(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Pid", str(os.getpid()))])
    if path == "/slow":
        time.sleep(float(environ["QUERY_STRING"]))
    if path == "/stream":
        return Stream(environ["QUERY_STRING"])
    return [path.encode("latin-1"), b" ", environ["wsgi.input"].read()]


class Stream:
    streaming = True

    def __init__(self, count: str) -> None:
        self.count = int(count)

    def __iter__(self) -> Iterator[bytes]:
        return (b"x" * 1000 for _ in range(self.count))


async def realtime(scope: dict[str, Any], receive: Any, send: Any) -> None:
    pid = str(os.getpid()).encode()
    if scope["type"] == "http":
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"x-pid", pid), (b"content-length", b"8")]}
        )
        await send({"type": "http.response.body", "body": b"realtime"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": pid.decode()})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


application = Site(pages=pages, realtime=realtime)

if __name__ == "__main__":
    kind, port, handover = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    listeners: list[socket.socket] = [listen("127.0.0.1", port)] if port else []
    (serve_web if kind == "web" else serve_sockets)(listeners, handover, app="tests.services.toy_site:application")
