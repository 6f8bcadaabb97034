"""The ASGI application of everything under /realtime/ and of every socket."""

from __future__ import annotations

from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path, re_path

from realtime.asgi_types import Application, Receive, Scope, Send
from realtime.consumers import NoSuchPathConsumer, StreamConsumer
from realtime.polling import poll, signal
from realtime.requests import BadRequest, answer_preflight, refuse
from realtime.sse import event_stream

websocket_urlpatterns = [
    path("realtime/ws", StreamConsumer.as_asgi()),
    re_path(r"", NoSuchPathConsumer.as_asgi()),
]
HTTP: dict[str, tuple[str, Application]] = {
    "/realtime/sse": ("GET", event_stream),
    "/realtime/poll": ("POST", poll),
    "/realtime/signal": ("POST", signal),
}


async def http(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve what is under /realtime/ without a socket."""
    if (entry := HTTP.get(scope["path"])) is None:
        paths = ", ".join(["/realtime/ws (a WebSocket)", *HTTP])
        await refuse(send, scope, BadRequest(f"There is nothing at this path. There are {paths}.", 404))
        return
    method, serve = entry
    if scope["method"] == "OPTIONS":
        await answer_preflight(send, scope)
    elif scope["method"] != method:
        await refuse(send, scope, BadRequest(f"{scope['path']} is asked for with {method}.", 405))
    else:
        await serve(scope, receive, send)


application = ProtocolTypeRouter({"websocket": URLRouter(websocket_urlpatterns), "http": http})
