from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from realtime import streams, subscriptions
from realtime.asgi import application
from realtime.subscriptions import Grant, Request

ORIGIN = "http://localhost:8000"


class Socket(WebsocketCommunicator):
    """A client of the socket application, in this event loop."""

    async def say(self, **message: Any) -> None:
        await self.send_to(text_data=orjson.dumps(message).decode())

    async def hear(self, timeout: float = 5) -> dict[str, Any]:
        return dict(orjson.loads(await self.receive_from(timeout)))

    async def closed_with(self, timeout: float = 10) -> int:
        goodbye = await self.hear(timeout)
        assert goodbye["type"] == "goodbye", goodbye
        event = await self.receive_output(timeout)
        assert event["type"] == "websocket.close", event
        assert event["code"] == goodbye["code"]
        return int(event["code"])


def headers_of(session: str | None = None, *, origin: str | None = ORIGIN, host: str = "localhost:8000") -> list[Any]:
    headers = [(b"host", host.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    if session is not None:
        headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={session}".encode()))
    return headers


@asynccontextmanager
async def opened(session: str | None, **options: Any) -> AsyncIterator[Socket]:
    """A socket that was accepted (which says nothing yet: a refusal follows as a close)."""
    socket = Socket(application, "/realtime/ws", headers=headers_of(session, **options))
    accepted, _ = await socket.connect()
    assert accepted
    try:
        yield socket
    finally:
        await socket.disconnect()


@pytest.fixture
def client_of(transactional_db: None) -> Callable[[str], Client]:
    """A logged-in browser of the user with this name."""

    def log_in(username: str) -> Client:
        client = Client()
        client.force_login(
            get_user_model().objects.get_or_create(username=username)[0], settings.AUTHENTICATION_BACKENDS[0]
        )
        return client

    return log_in


@pytest.fixture
def session(client_of: Callable[[str], Client]) -> str:
    """The session key of a logged-in user."""
    return str(client_of("rea").session.session_key)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The streams that the subscription kind "news" gives to everybody; change the list to change the rule's answer."""
    given = ["news:1", "news:2"]

    def rule(requests: Sequence[Request]) -> list[Grant | None]:
        return [None if request.argument == "secret" else Grant(list(given)) for request in requests]

    monkeypatch.setitem(subscriptions._rules, "news", rule)
    return given


class Response:
    """A response of the application, as it comes."""

    def __init__(self, communicator: ApplicationCommunicator, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.communicator = communicator
        self.status = status
        self.headers = {name.decode(): value.decode() for name, value in headers}
        self._rest = b""
        self._ended = False

    async def whole(self, timeout: float = 10) -> bytes:
        """The body to its end."""
        body, more = self._rest, True
        while more:
            event = await self.communicator.receive_output(timeout)
            body, more = body + event.get("body", b""), event.get("more_body", False)
        return body

    async def json(self) -> dict[str, Any]:
        return dict(orjson.loads(await self.whole()))

    async def event(self, timeout: float = 10) -> dict[str, str]:
        """The next server-sent event: its fields."""
        while b"\n\n" not in self._rest:
            if self._ended:
                raise EOFError
            event = await self.communicator.receive_output(timeout)
            self._rest += event.get("body", b"")
            self._ended = not event.get("more_body")
        text, _, self._rest = self._rest.partition(b"\n\n")
        return dict(line.split(": ", 1) for line in text.decode().splitlines())

    async def message(self, timeout: float = 10) -> dict[str, Any]:
        """The message of the next server-sent event that has one."""
        while "data" not in (event := await self.event(timeout)):
            pass
        return dict(orjson.loads(event["data"]))


@asynccontextmanager
async def requested(
    method: str, path: str, session: str | None = None, *, body: Any = None, query: str = "",
    headers: Sequence[tuple[bytes, bytes]] = (), origin: str | None = ORIGIN,
) -> AsyncIterator[Response]:  # fmt: skip
    """Ask the application over HTTP; the response is open during the block."""
    scope = {
        "type": "http", "method": method, "path": path, "query_string": query.encode(), "scheme": "http",
        "headers": [*headers_of(session, origin=origin), *headers], "server": ("localhost", 8000),
        "client": ("192.0.2.1", 4711),
    }  # fmt: skip
    communicator = ApplicationCommunicator(application, scope)
    content = body if isinstance(body, bytes) else orjson.dumps(body) if body is not None else b""
    await communicator.send_input({"type": "http.request", "body": content, "more_body": False})
    try:
        start = await communicator.receive_output(10)
        yield Response(communicator, start["status"], start["headers"])
    finally:
        await communicator.send_input({"type": "http.disconnect"})
        await communicator.wait(10)


async def append(name: str, **event: Any) -> None:
    """Append an event to a stream."""
    await sync_to_async(streams.append)([(name, {"type": "test", **event})])
