"""The ASGI application of everything under /realtime/ and of every socket."""

from __future__ import annotations

from channels.routing import ProtocolTypeRouter, URLRouter

from realtime.asgi_types import Receive, Scope, Send
from realtime.routing import websocket_urlpatterns

NOT_FOUND = b'{"error": "There is nothing at this path. Sockets are opened at /realtime/ws."}'


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(NOT_FOUND)).encode())]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": NOT_FOUND})


application = ProtocolTypeRouter({"websocket": URLRouter(websocket_urlpatterns), "http": not_found})
