"""A server of the wire protocol that does what a test tells it: refuse, stay silent, drop, say goodbye.

It is for what the real one does too seldom. It holds its streams in memory; a position in one is `<stream>@<number>`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qs

import orjson

from realtime.asgi_types import Receive, Scope, Send
from realtime.limits import Allowance
from tests.realtime.browser.serving import ThreadedServer, answer
from tests.site import wait_for

HTTP_STATUS = {4401: 401, 4403: 403, 4404: 404, 4429: 429}
Message = dict[str, Any]
T = TypeVar("T")


@dataclass(eq=False)
class Connection:
    """What one client follows; `out` is what waits to be sent, None the end."""

    transport: str
    streams: dict[str, str] = field(default_factory=dict)  # id of the subscription → stream
    out: asyncio.Queue[Message | None] = field(default_factory=asyncio.Queue)


class ScriptedServer:
    """Runs in a thread of its own. What tests set is read at each connection; what they call takes effect at once."""

    def __init__(self) -> None:
        self.streams: dict[str, list[Any]] = defaultdict(list)
        self.connections: list[Connection] = []
        self.attempts: list[tuple[float, str]] = []  # when, over which transport
        self.asked: list[Message] = []  # the subscriptions, as clients have worded them
        self.heard: list[Message] = []  # all else that came over sockets
        self.signals: list[Message] = []
        self.blocked: set[str] = set()  # transports that something on the way does not let through
        self.silent: set[str] = set()  # transports that open, and carry nothing
        self.refuse_with: Message | None = None  # a goodbye for whoever comes
        self.forgotten: set[str] = set()  # streams whose positions are not known any more
        self.tokens: set[str] | None = None  # those that are good; None: nobody need log in
        self.expires_in = 600.0
        self.limit = 60
        self._server = ThreadedServer(self._serve)

    # For tests

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self.drop()
        self._server.stop()

    @property
    def url(self) -> str:
        return self._server.url

    def publish(self, stream: str, *events: Any, parts: int = 1, lost: bool = False) -> None:
        """Append to a stream; `parts` are the messages it goes out in, and without the last where `lost`."""
        self._call(self._publish, stream, events, parts, lost)

    def drop(self, *transports: str) -> None:
        """Lose the connections (over these transports) without a word."""
        self._call(self._end, None, transports)

    def say_goodbye(self, **message: Any) -> None:
        """Say goodbye to all, and close. Who polls may be between two requests, and hears of it in the next."""
        wait_for(lambda: self._call(self._end, {"type": "goodbye", "message": "", **message}, ()))

    def followed(self) -> Counter[str]:
        """How often each stream is followed over connections that are open now."""
        return Counter(stream for connection in self.connections for stream in connection.streams.values())

    def open(self, transport: str | None = None) -> list[Connection]:
        return [one for one in self.connections if transport in (None, one.transport)]

    # The application

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if scope["type"] == "websocket":
            await self._socket(receive, send)
        elif path == "/realtime/sse":
            await self._stream(scope, receive, send)
        elif path == "/realtime/poll":
            await self._poll(scope, receive, send)
        elif path == "/realtime/signal":
            self.signals.append(orjson.loads(await _body(receive)))
            await answer(send, 204, b"")
        else:
            await answer(send, 404, b"")

    async def _socket(self, receive: Receive, send: Send) -> None:
        await receive()
        refusal = self.refuse_with  # before a test can see the attempt, and take it back
        self.attempts.append((time.monotonic(), "websocket"))
        if "websocket" in self.blocked:
            await send({"type": "websocket.close"})
            return
        await send({"type": "websocket.accept"})
        allowance = Allowance()
        with self._connected("websocket") as connection:
            if refusal:
                self._finish(connection, refusal)
            sending = asyncio.create_task(self._send_socket(connection, send))
            try:
                while (event := await receive())["type"] == "websocket.receive":
                    if not allowance.take():
                        self._finish(connection, {"code": 4429, "message": "Too many messages."})
                    elif "websocket" not in self.silent:
                        self._handle(connection, orjson.loads(event["text"]))
            finally:
                sending.cancel()

    async def _send_socket(self, connection: Connection, send: Send) -> None:
        code = 1011
        while message := await connection.out.get():
            await send({"type": "websocket.send", "text": orjson.dumps(message).decode()})
            code = message.get("code", code) if message["type"] == "goodbye" else code
        connection.streams.clear()
        await send({"type": "websocket.close", "code": code})

    def _handle(self, connection: Connection, message: Message) -> None:
        kind = message["type"]
        if kind == "subscribe":
            if self.tokens is not None and not any(one["type"] == "authenticate" for one in self.heard):
                self._finish(connection, {"code": 4401, "message": "Log in first."})
            else:
                self._subscribe(connection, message)
            return
        self.heard.append(message)
        if kind == "unsubscribe":
            connection.streams.pop(message["id"], None)
        elif kind == "ping":
            connection.out.put_nowait({"type": "pong"})
        elif kind == "signal":
            self.signals.append({name: message[name] for name in ("kind", "arg", "name")})
        elif kind == "authenticate":
            if message["token"] in (self.tokens or ()):
                connection.out.put_nowait({"type": "authenticated", "expires_in": self.expires_in})
            else:
                self._finish(connection, {"code": 4401, "message": "This token is not good."})

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = parse_qs(scope["query_string"].decode())
        self.attempts.append((time.monotonic(), "sse"))
        if not await self._admit("sse", query.get("token", [""])[0], send):
            return
        with self._connected("sse") as connection:
            content_type = (b"content-type", b"text/event-stream")
            await send({"type": "http.response.start", "status": 200, "headers": [content_type]})
            await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
            if "sse" not in self.silent:
                for text in query["subscribe"]:
                    self._subscribe(connection, orjson.loads(text))
            gone = asyncio.create_task(_gone(receive))
            try:
                await asyncio.wait(
                    [gone, sending := asyncio.create_task(_send_stream(connection, send))],
                    return_when=asyncio.FIRST_COMPLETED,
                )
                sending.cancel()
            finally:
                gone.cancel()

    async def _poll(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = orjson.loads(await _body(receive))
        self.attempts.append((time.monotonic(), "poll"))
        header = dict(scope["headers"]).get(b"authorization", b"").decode()
        if not await self._admit("poll", header.removeprefix("Bearer "), send):
            return
        with self._connected("poll") as connection:
            for subscription in body["subscribe"]:
                self._subscribe(connection, subscription)
            old = {one["id"] for one in body["subscribe"] if one.get("position")}
            messages: list[Message | None] = []
            deadline = time.monotonic() + body["wait"]
            gone = asyncio.create_task(_gone(receive))
            if "poll" in self.silent:
                await gone
            while not gone.done() and not _is_news(messages, old) and None not in messages:
                with contextlib.suppress(TimeoutError):
                    messages.append(await asyncio.wait_for(connection.out.get(), 0.02))
                if connection.out.empty() and time.monotonic() >= deadline:
                    break
            while not connection.out.empty():
                messages.append(connection.out.get_nowait())
            gone.cancel()
            if messages[-1:] == [None] and len(messages) == 1 + len(connection.streams):
                return  # dropped: an answer that breaks off
        said = [message for message in messages if message]
        await answer(send, 200, orjson.dumps({"messages": said, "retry_in": 0 if body["wait"] else 5000}))

    async def _admit(self, transport: str, token: str, send: Send) -> bool:
        """Whether a request is let in; else it has been answered."""
        if transport in self.blocked:
            await answer(send, 403, b"<h1>The proxy says no</h1>", [(b"content-type", b"text/html")])
            return False
        refusal = self.refuse_with
        if self.tokens is not None and token not in self.tokens:
            refusal = {"code": 4401}
        if refusal is None:
            return True
        after = refusal.get("retry_in")
        headers = [] if after is None else [(b"retry-after", str(after // 1000).encode())]
        said = orjson.dumps({"code": "refused", "message": "Not now."})
        await answer(send, HTTP_STATUS.get(refusal["code"], 503), said, headers)
        return False

    # Subscriptions, in the server's loop

    @contextlib.contextmanager
    def _connected(self, transport: str) -> Any:
        self.connections.append(connection := Connection(transport))
        try:
            yield connection
        finally:
            self.connections.remove(connection)

    def _subscribe(self, connection: Connection, wanted: Message) -> None:
        self.asked.append(wanted)
        name, stream = wanted["id"], f"{wanted['kind']}{wanted.get('arg', '')}"
        say = connection.out.put_nowait
        if wanted["kind"] == "secret":
            say({"type": "error", "id": name, "code": "denied", "message": "There is nothing such."})
            return
        if len(connection.streams) >= self.limit:
            say({"type": "error", "id": name, "code": "limit", "message": f"At most {self.limit}."})
            return
        connection.streams[name] = stream
        now = self._position(stream)
        position = wanted.get("position") or now
        say({"type": "subscribed", "id": name, "position": position})
        known, _, number = position.partition("@")
        if known != stream or stream in self.forgotten:
            self.forgotten.discard(stream)
            say({"type": "resync", "id": name, "position": now})
        elif missed := self.streams[stream][int(number) :]:
            say({"type": "events", "id": name, "events": missed, "position": now})

    def _publish(self, stream: str, events: Iterable[Any], parts: int, lost: bool) -> None:
        self.streams[stream].extend(events)
        chunks = [list(events)[part::parts] for part in range(parts)]
        for connection in self.connections:
            for name, followed in connection.streams.items():
                for number, chunk in enumerate(chunks if followed == stream else ()):
                    message: Message = {"type": "events", "id": name, "events": chunk}
                    if number + 1 < parts:
                        connection.out.put_nowait(message)
                    elif lost:
                        connection.out.put_nowait(None)
                    else:
                        connection.out.put_nowait(message | {"position": self._position(stream)})

    def _position(self, stream: str) -> str:
        return f"{stream}@{len(self.streams[stream])}"

    def _end(self, message: Message | None, transports: tuple[str, ...]) -> int:
        """End connections; return how many there were."""
        ended = [one for one in self.connections if not transports or one.transport in transports]
        for connection in ended:
            self._finish(connection, message)
        return len(ended)

    def _finish(self, connection: Connection, message: Message | None) -> None:
        if message:
            connection.out.put_nowait({"type": "goodbye", "message": "", **message})
        connection.out.put_nowait(None)

    def _call(self, act: Callable[..., T], *arguments: Any) -> T:
        async def done() -> T:
            return act(*arguments)

        return self._server.call(done)


def _is_news(messages: list[Message | None], old: set[str]) -> bool:
    """Whether a long poll has something to say: all but `subscribed` of what had a position."""
    return any(one and not (one["type"] == "subscribed" and one["id"] in old) for one in messages)


async def _send_stream(connection: Connection, send: Send) -> None:
    while message := await connection.out.get():
        text = orjson.dumps(message).decode()
        body = f"event: {message['type']}\ndata: {text}\n\n".encode()
        await send({"type": "http.response.body", "body": body, "more_body": True})
    connection.streams.clear()
    await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive) -> bytes:
    body = b""
    while (event := await receive())["type"] == "http.request":
        body += event["body"]
        if not event["more_body"]:
            break
    return body
