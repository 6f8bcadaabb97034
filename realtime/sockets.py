"""The WebSocket application: who is let in, and how a socket ends."""

from __future__ import annotations

import asyncio

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import parse_cookie

from realtime.asgi_types import Receive, Scope, Send
from realtime.connection import Closed, Connection
from realtime.hub import Hub
from realtime.limits import MAX_SOCKETS, Close
from realtime.origins import header, is_own_origin
from realtime.sessions import Visitor, find_visitor, in_database

CLOSE_TIMEOUT = 1.0  # seconds for the close message


async def websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one socket.

    A refused one is accepted first and then closed with a code: before it is accepted, a browser's code learns nothing
    of why.
    """
    if (await receive())["type"] != "websocket.connect":
        return
    await send({"type": "websocket.accept"})
    try:
        visitor = await _admit(scope)
        await _serve(visitor, receive, send)
    except Closed as end:
        await _close(send, end.code, str(end))


async def no_such_path(scope: Scope, receive: Receive, send: Send) -> None:
    """The socket for paths without one: an unrouted socket would be an exception in the server's log."""
    if (await receive())["type"] == "websocket.connect":
        await send({"type": "websocket.accept"})
        await _close(send, Close.NO_SUCH_PATH, "There is no socket at this path.")


async def _admit(scope: Scope) -> Visitor:
    if not is_own_origin(scope):
        raise Closed(Close.FOREIGN_ORIGIN, "Pages of this origin may not open a socket here.")
    key = _session_key(scope)
    try:
        visitor = await in_database(find_visitor, key) if key else None
    except (DatabaseError, InterfaceError):
        raise Closed(Close.TRY_LATER, "Sessions cannot be read just now.") from None
    if visitor is None:
        raise Closed(Close.NOT_LOGGED_IN, "Log in first.")
    return visitor


async def _serve(visitor: Visitor, receive: Receive, send: Send) -> None:
    hub = Hub.of_running_loop()
    if sum(other.visitor.user_id == visitor.user_id for other in hub.connections) >= MAX_SOCKETS:
        raise Closed(Close.TOO_MANY, f"You have {MAX_SOCKETS} sockets open already.")
    connection = Connection(hub, visitor, receive, send)
    try:
        await hub.enter(connection)
        await connection.run()
    except TimeoutError:
        raise Closed(Close.TRY_LATER, "Streams cannot be read just now.") from None
    finally:
        await hub.exit(connection)


def _session_key(scope: Scope) -> str:
    # Not http.cookies, which gives up all cookies for one that another program of the same host wrote badly.
    key = parse_cookie(header(scope, b"cookie")).get(settings.SESSION_COOKIE_NAME, "")
    return key if key.isalnum() else ""


async def _close(send: Send, code: Close, reason: str) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await send({"type": "websocket.close", "code": int(code), "reason": reason})
    except (OSError, TimeoutError):
        return  # it has gone already, or takes nothing, not even this
