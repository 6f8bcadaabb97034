"""Which part of the site serves a connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from django.conf import settings

from recsys.services.bridge import Receive, Scope, Send, WSGIApp, WSGIBridge

REALTIME_PREFIX = "/realtime/"

ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class Site:
    """The ASGI application: WebSockets and the realtime prefix go to `realtime`, all else to WSGI's `pages`."""

    def __init__(self, *, pages: WSGIApp, realtime: ASGIApp) -> None:
        self.pages = WSGIBridge(pages, threads=settings.WEB_THREADS, max_body=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        self.realtime = realtime

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # Not a coroutine function, whose frame would be kept for as long as a socket is open.
        if scope["type"] == "websocket" or (scope["type"] == "http" and scope["path"].startswith(REALTIME_PREFIX)):
            return self.realtime(scope, receive, send)
        if scope["type"] == "http":
            return self.pages(scope, receive, send)
        raise ValueError(f"Unknown kind of connection: {scope['type']!r}")
