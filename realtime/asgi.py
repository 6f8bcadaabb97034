"""The ASGI application of everything under /realtime/ and of every socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.util import find_spec

from asgiref.sync import markcoroutinefunction

from realtime.asgi_types import Application, Receive, Scope, Send
from realtime.consumers import NoSuchPathConsumer, StreamConsumer
from realtime.polling import poll, signal
from realtime.requests import BadRequest, answer_preflight, refuse
from realtime.sse import event_stream


def sockets() -> dict[str, Callable[[], Application]]:
    """What serves a socket, by its path. GraphQL is an extra: there is none where its packages are not installed."""
    served: dict[str, Callable[[], Application]] = {"/realtime/ws": StreamConsumer}
    if find_spec("strawberry"):
        from realtime.graphql.consumers import GraphQLConsumer

        served["/realtime/graphql"] = GraphQLConsumer
    return served


SOCKETS = sockets()
HTTP: dict[str, tuple[str, Application]] = {
    "/realtime/sse": ("GET", event_stream),
    "/realtime/poll": ("POST", poll),
    "/realtime/signal": ("POST", signal),
}


async def http(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve what is under /realtime/ without a socket."""
    if (entry := HTTP.get(scope["path"])) is None:
        paths = ", ".join([*(f"{path} (a WebSocket)" for path in SOCKETS), *HTTP])
        await refuse(send, scope, BadRequest(f"There is nothing at this path. There are {paths}.", 404))
        return
    method, serve = entry
    if scope["method"] == "OPTIONS":
        await answer_preflight(send, scope)
    elif scope["method"] != method:
        await refuse(send, scope, BadRequest(f"{scope['path']} is asked for with {method}.", 405))
    else:
        await serve(scope, receive, send)


@markcoroutinefunction
def application(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    """Serve a connection.

    Not a coroutine function: each frame between the server and a socket's own is kept as long as that is open. For the
    same reason these few paths need no router.
    """
    if scope["type"] == "websocket":
        return SOCKETS.get(scope["path"], NoSuchPathConsumer)()(scope, receive, send)
    return http(scope, receive, send)
