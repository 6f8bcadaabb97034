from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from realtime import subscriptions
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
        event = await self.receive_output(timeout)
        assert event["type"] == "websocket.close", event
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
