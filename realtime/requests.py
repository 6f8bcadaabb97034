"""Requests and responses of HTTP over ASGI, as far as the transports need them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import orjson
from django.conf import settings

from realtime.asgi_types import Receive, Scope, Send
from realtime.closing import Close, Closed
from realtime.limits import MAX_FRAME
from realtime.origins import header

BODY_TIMEOUT = 20.0  # seconds
Headers = list[tuple[bytes, bytes]]
_NAMES = {400: "invalid", 401: "denied", 403: "denied", 404: "unknown", 405: "invalid", 413: "limit", 429: "limit"}


class BadRequest(Exception):
    """A request that is none of ours, with the status that says so."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


async def read_body(receive: Receive) -> bytes:
    """The request's body. Closed where it is too long, BadRequest where it does not come, ConnectionResetError where
    the client goes away.
    """
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            return await _read_body(receive)
    except TimeoutError:
        raise BadRequest(f"The body did not arrive within {BODY_TIMEOUT:.0f} seconds.", 408) from None


async def _read_body(receive: Receive) -> bytes:
    body = b""
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ConnectionResetError
        body += event.get("body", b"")
        if len(body) > MAX_FRAME:
            raise Closed(Close.TOO_BIG, f"The body is longer than {MAX_FRAME} bytes.")
        if not event.get("more_body"):
            return body


async def respond(send: Send, scope: Scope, status: int, data: Any = None, headers: Iterable[Any] = ()) -> None:
    """Answer with JSON, or with nothing where `data` is None."""
    body = b"" if data is None else orjson.dumps(data)
    every = [*headers, *sharing(scope), (b"cache-control", b"no-store"), (b"content-length", b"%d" % len(body))]
    if body:
        every.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": status, "headers": every})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, scope: Scope, why: Closed | BadRequest) -> None:
    """Answer that it is not to be, why, and when to come back if that helps."""
    headers: Headers = []
    if isinstance(why, Closed) and why.retry_in is not None:
        headers.append((b"retry-after", b"%d" % -(-why.retry_in // 1000)))
    code = _NAMES.get(why.status, "away")
    await respond(send, scope, why.status, {"code": code, "message": str(why)}, headers)


def sharing(scope: Scope) -> Headers:
    """The headers that let a page of another site, of REALTIME_ORIGINS, read the response. Cookies stay out of it."""
    origin = header(scope, b"origin")
    if not origin or origin not in settings.REALTIME_ORIGINS:
        return [(b"vary", b"Origin")]
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", b"Retry-After"),
        (b"vary", b"Origin"),
    ]


async def answer_preflight(send: Send, scope: Scope) -> None:
    """Answer a browser that asks whether a page of another site may."""
    allowed = sharing(scope)
    if allowed[0][0] == b"access-control-allow-origin":
        allowed += [
            (b"access-control-allow-methods", b"GET, POST"),
            (b"access-control-allow-headers", b"Authorization, Content-Type"),
            (b"access-control-max-age", b"3600"),
        ]
    await send({"type": "http.response.start", "status": 204, "headers": allowed})
    await send({"type": "http.response.body", "body": b""})
