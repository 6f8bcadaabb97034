"""WSGI code behind the ASGI bridge: what goes through, and what is refused."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from recsys.services.bridge import WSGIBridge
from recsys.services.replies import SHORT, FileChunks

StartResponse = Callable[..., Any]


class Client:
    """One HTTP request to an ASGI application; `events` holds what it sent back."""

    def __init__(self, app: WSGIBridge) -> None:
        self.app = app
        self.events: list[dict[str, Any]] = []
        self.gone = asyncio.Event()
        self._finished = False

    async def receive_rest(self) -> None:
        """Called when the body is through, before its end is told."""

    async def request(
        self,
        method: str = "GET",
        path: bytes = b"/",
        *,
        body: Iterable[bytes] = (),
        headers: Iterable[tuple[bytes, bytes]] = (),
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "http_version": "1.1",
            "scheme": "http",
            "query_string": b"",
        }
        scope |= {"raw_path": path, "path": path.decode(), "headers": list(headers)}
        scope |= {"server": ("here", 80), "client": ("192.0.2.7", 4321)}
        if body and b"content-length" not in dict(headers):
            scope["headers"].append((b"transfer-encoding", b"chunked"))
        chunks = iter(body)

        async def receive() -> dict[str, Any]:
            for chunk in chunks:
                return {"type": "http.request", "body": chunk, "more_body": True}
            if not self._finished:
                await self.receive_rest()
                self._finished = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            self.events.append(message)

        await self.app(scope, receive, send)
        start, *rest = self.events
        return start["status"], dict(start["headers"]), b"".join(event.get("body", b"") for event in rest)


def echo(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["REQUEST_METHOD"].encode(), b" ", environ["wsgi.input"].read()]


def environ_of(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [])
    return [json.dumps({key: value for key, value in environ.items() if isinstance(value, str)}).encode()]


async def test_a_body_in_parts_arrives_whole_and_the_answer_has_its_length() -> None:
    status, headers, body = await Client(WSGIBridge(echo)).request("POST", body=[b"one", b" two"])
    assert (status, body) == (200, b"POST one two")
    assert headers[b"content-length"] == b"12"


async def test_environ_follows_pep_3333() -> None:
    headers = [
        (b"host", b"example.org"), (b"content-type", b"text/css"), (b"content-length", b"999"), (b"cookie", b"a=1"),
        (b"cookie", b"b=2"), (b"accept", b"x"), (b"accept", b"y"), (b"x_forwarded_for", b"6.6.6.6"),
    ]  # fmt: skip
    _, _, body = await Client(WSGIBridge(environ_of)).request(path=b"/caf%C3%A9", body=[b"12345"], headers=headers)
    environ = json.loads(body)
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/café"
    assert environ["HTTP_HOST"] == "example.org"
    assert environ["CONTENT_TYPE"] == "text/css"
    assert environ["CONTENT_LENGTH"] == "5"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["HTTP_ACCEPT"] == "x,y"
    assert environ["REMOTE_ADDR"] == "192.0.2.7"
    assert not [name for name in environ if "FORWARDED" in name], "a header with underscores poses as another"


@pytest.mark.parametrize(
    ("headers", "chunks"),
    [([(b"content-length", b"101")], []), ([], [b"x" * 60, b"x" * 60])],
    ids=["declared", "found out while reading"],
)
async def test_a_body_above_the_bound_is_refused(headers: list[tuple[bytes, bytes]], chunks: list[bytes]) -> None:
    bridge = WSGIBridge(echo, max_body=100)
    status, answer, body = await Client(bridge).request("POST", body=chunks, headers=headers)
    assert status == 413
    assert answer[b"content-type"] == b"application/problem+json"
    assert "100 bytes" in json.loads(body)["detail"]
    assert (await Client(bridge).request("POST", body=[b"x" * 100]))[0] == 200


async def test_bodies_together_are_bounded_and_what_they_held_is_given_back() -> None:
    bridge = WSGIBridge(echo, max_buffered=150)
    reading, finish = asyncio.Event(), asyncio.Event()

    class Slow(Client):
        async def receive_rest(self) -> None:
            reading.set()
            await finish.wait()

    first = asyncio.create_task(Slow(bridge).request("POST", body=[b"x" * 100]))
    await reading.wait()
    assert (await Client(bridge).request("POST", body=[b"x" * 100]))[0] == 503
    finish.set()
    assert (await first)[0] == 200
    assert (await Client(bridge).request("POST", body=[b"x" * 150]))[0] == 200


async def test_more_requests_than_places_are_told_to_come_back() -> None:
    release = threading.Event()

    def wait(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        release.wait(10)
        return echo(environ, start_response)

    bridge = WSGIBridge(wait, threads=1, queue=1)
    tasks = [asyncio.create_task(Client(bridge).request()) for _ in range(2)]
    while bridge._running < 2:
        await asyncio.sleep(0)
    status, headers, _ = await Client(bridge).request()
    assert (status, headers[b"retry-after"]) == (503, b"1")
    release.set()
    assert [(await task)[0] for task in tasks] == [200, 200]
    assert (await Client(bridge).request())[0] == 200


class Lines:
    """A streaming response that can tell whether it was closed, and where."""

    streaming = True

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.lines = lines
        self.closed_in: str | None = None

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.lines)

    def close(self) -> None:
        self.closed_in = threading.current_thread().name


async def test_a_stream_is_sent_piece_by_piece_and_closed_in_its_thread() -> None:
    lines = Lines([b"one", b"two"])

    def stream(environ: dict[str, Any], start_response: StartResponse) -> Lines:
        start_response("200 OK", [])
        return lines

    client = Client(WSGIBridge(stream))
    assert await client.request() == (200, {}, b"onetwo")
    assert [event.get("body") for event in client.events] == [None, b"one", b"two", b""]
    assert lines.closed_in
    assert lines.closed_in.startswith("wsgi")


async def test_a_stream_ends_when_the_client_is_gone() -> None:
    client: Client
    loop = asyncio.get_running_loop()
    sent = threading.Semaphore(0)

    def endless() -> Iterator[bytes]:
        yield b"first"
        loop.call_soon_threadsafe(client.gone.set)
        while True:
            sent.release()
            yield b"more"

    lines = Lines(endless())

    def stream(environ: dict[str, Any], start_response: StartResponse) -> Lines:
        start_response("200 OK", [])
        return lines

    client = Client(WSGIBridge(stream))
    async with asyncio.timeout(10):
        await client.request()
    assert lines.closed_in


@pytest.mark.parametrize("size", [SHORT, SHORT + 1])
async def test_files_arrive_whole_whether_short_or_long(size: int) -> None:
    def serve(environ: dict[str, Any], start_response: StartResponse) -> FileChunks:
        start_response("200 OK", [("Content-Length", str(size))])
        chunks: FileChunks = environ["wsgi.file_wrapper"](io.BytesIO(b"x" * size), 4096)
        return chunks

    client = Client(WSGIBridge(serve))
    _, _, body = await client.request()
    assert len(body) == size
    assert len(client.events) == (2 if size == SHORT else 19)


async def test_streams_leave_threads_for_others() -> None:
    release = threading.Event()

    def stream(environ: dict[str, Any], start_response: StartResponse) -> Lines | list[bytes]:
        if environ["PATH_INFO"] == "/short":
            return echo(environ, start_response)
        start_response("200 OK", [])
        return Lines(line for line in [b"one"] if release.wait(10))

    bridge = WSGIBridge(stream, threads=2)
    streaming = Client(bridge)
    first = asyncio.create_task(streaming.request())
    while not streaming.events:
        await asyncio.sleep(0)
    assert (await Client(bridge).request())[0] == 503
    assert (await Client(bridge).request(path=b"/short"))[0] == 200
    release.set()
    assert (await first)[2] == b"one"
