"""The realtime part of the site as an ASGI application: sockets under `/realtime/ws`, nothing else yet."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path, re_path

from realtime.consumers import StreamConsumer


class NotFound:
    """Answers what no route answers: an unrouted socket would otherwise be an exception in the log."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 4404})
            return
        body = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "Connect to /realtime/ws."}
        headers = [(b"content-type", b"application/problem+json")]
        await send({"type": "http.response.start", "status": 404, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})


class SameOrigin:
    """Refuses sockets that another site's page opened: a browser sends our cookies with those too.

    The whole origin counts, scheme and port included. Clients that are no browsers send none, and have no cookies
    that somebody else could use.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if is_same_origin(dict(scope["headers"]), scheme=scope["scheme"]):
            await self.inner(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 4403})  # before it is accepted: HTTP 403


def is_same_origin(headers: dict[bytes, bytes], *, scheme: str) -> bool:
    """Whether a handshake's Origin is the site's own or one of CSRF_TRUSTED_ORIGINS."""
    origin = headers.get(b"origin", b"").decode("latin-1")
    if not origin:
        return True
    secure = scheme == "wss"
    if settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        header = name.removeprefix("HTTP_").replace("_", "-").lower().encode()
        secure = secure or headers.get(header, b"").decode("latin-1") == value
    host = headers.get(b"host", b"").decode("latin-1")
    return origin == f"{'https' if secure else 'http'}://{host}" or _is_trusted(origin)


def _is_trusted(origin: str) -> bool:
    for trusted in settings.CSRF_TRUSTED_ORIGINS:
        scheme, _, pattern = trusted.partition("://")
        parts = urlsplit(origin)
        if origin == trusted or (
            pattern.startswith("*.") and parts.scheme == scheme and parts.netloc.endswith(pattern.removeprefix("*"))
        ):
            return True
    return False


application = ProtocolTypeRouter(
    {
        "websocket": SameOrigin(
            AuthMiddlewareStack(
                URLRouter(
                    [
                        path("realtime/ws", StreamConsumer.as_asgi()),
                        re_path(r"", NotFound()),  # type: ignore[arg-type]
                    ]
                )
            )
        ),
        "http": NotFound(),
    }
)
