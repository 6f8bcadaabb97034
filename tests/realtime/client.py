"""A client of the wire protocol over each of its four ways of carriage, written from docs/realtime.md alone.

client = SocketClient(lambda: "http://localhost:8000", [Subscription("timeline", load=load, apply=apply)], headers)
await client.follow()  # for as long as coming back helps
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import websockets
from websockets.asyncio.client import ClientConnection, connect

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0  # seconds
SILENCE, ANSWER = 25.0, 10.0  # seconds without a message before a ping, and then until its answer
NOT_LOGGED_IN = {401, 4401}
FOR_GOOD = {1009, 4400, 4401, 4403, 4404}  # close codes after which coming back does not help by itself

TLS = ssl.create_default_context()  # takes longer to make than a connection
Event = dict[str, Any]
Message = dict[str, Any]


@dataclass(eq=False)
class Subscription:
    """`position` is what came with data that was loaded before; without one, the data is loaded once it stands."""

    kind: str
    load: Callable[[], Awaitable[object]]  # load the data anew
    apply: Callable[[Event], object]  # which the data may hold already
    arg: str = ""
    position: str = ""

    def asked(self, identifier: str) -> dict[str, str]:
        return {"id": identifier, "kind": self.kind, "arg": self.arg, "position": self.position}


class Goodbye(Exception):
    """The connection, or the answer, is over: with a close code or an HTTP status, and seconds to come back in."""

    def __init__(self, code: int, retry_in: float | None, helps: bool) -> None:
        super().__init__(code)
        self.code, self.retry_in, self.helps = code, retry_in, helps


class Client(ABC):
    """`address` gives the server's address, anew for each connection; `headers` those that say who one is.

    `renews`: they do so in other words each time (with a new token), so that coming back helps where they do not hold.
    """

    transport = ""

    def __init__(
        self,
        address: Callable[[], str],
        subscriptions: Sequence[Subscription],
        headers: Callable[[], Mapping[str, str]] = dict,
        *,
        longest_delay: float = LONGEST_DELAY,
        renews: bool = False,
    ) -> None:
        self.address = address
        self.subscriptions = {str(number): one for number, one in enumerate(subscriptions, 1)}
        self.headers = headers
        self.longest_delay = longest_delay
        self.renews = renews
        self.connects = self.resyncs = 0
        self.standing: set[str] = set()  # over this connection, or the last
        self.stood: set[str] = set()  # ever
        self.errors: list[Message] = []
        self.goodbyes: list[Goodbye] = []
        self.takes = asyncio.Event()  # cleared: a reader that takes nothing
        self.takes.set()

    def __str__(self) -> str:
        return f"{self.transport}: {self.connects} connections, {self.resyncs} resyncs"

    async def follow(self) -> Goodbye:
        """Follow, and come back, until that does not help any more: the last goodbye."""
        attempts = 0
        while True:
            self.standing.clear()
            self.connects += 1
            pause = None
            try:
                pause = await self._connect()
            except Goodbye as goodbye:
                self.goodbyes.append(goodbye)
                if not goodbye.helps and not (self.renews and goodbye.code in NOT_LOGGED_IN):
                    return goodbye
                pause = goodbye.retry_in
            except (OSError, EOFError, httpx.TransportError, websockets.WebSocketException):
                pass  # the connection was lost, or there was none
            attempts = 0 if self.standing else attempts + 1
            if pause is None:
                pause = random.random() * min(self.longest_delay, FIRST_DELAY * 2**attempts)
            await asyncio.sleep(pause)

    @abstractmethod
    async def _connect(self) -> float | None:
        """Follow over one connection, to its end: seconds to come back in, where the server said that."""

    async def _take(self, message: Message) -> None:
        """Do what a message of the server says; Goodbye where it is the last one."""
        await self.takes.wait()
        subscription = self.subscriptions.get(message.get("id", ""))
        if message["type"] == "goodbye":
            retry = message.get("retry_in")
            raise Goodbye(message["code"], None if retry is None else retry / 1000, retry is not None)
        if message["type"] == "error":
            self.errors.append(message)
        if subscription is None:
            return
        if message["type"] == "error":
            del self.subscriptions[message["id"]]
        elif message["type"] == "subscribed":
            self.standing.add(message["id"])
            self.stood.add(message["id"])
            if not subscription.position:
                await subscription.load()
        elif message["type"] == "events":
            for event in message["events"]:
                subscription.apply(event)
        elif message["type"] == "resync":
            self.resyncs += 1
            await subscription.load()
        # Last of all: what was not applied, or not loaded, would not come again.
        subscription.position = message.get("position") or subscription.position


class SocketClient(Client):
    """Over a WebSocket."""

    transport = "websocket"
    socket: ClientConnection | None = None

    async def _connect(self) -> None:
        url = self.address().replace("http", "ws", 1) + "/realtime/ws"
        # The pings of WebSockets are the server's matter; a client has those of this protocol.
        options: Any = {"ping_interval": None, "close_timeout": 1, "compression": None, "proxy": None}
        async with connect(url, additional_headers=self.headers(), **options) as self.socket:
            for identifier, subscription in self.subscriptions.items():
                await self.say(type="subscribe", **subscription.asked(identifier))
            try:
                while True:
                    await self._take(json.loads(await self._hear(self.socket)))
            except websockets.ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else 1006
                raise Goodbye(code, None, code not in FOR_GOOD) from None

    async def say(self, **message: Any) -> None:
        assert self.socket is not None
        await self.socket.send(json.dumps(message))

    async def _hear(self, socket: ClientConnection) -> str | bytes:
        try:
            async with asyncio.timeout(SILENCE):
                return await socket.recv()
        except TimeoutError:
            await self.say(type="ping")
        async with asyncio.timeout(ANSWER):
            return await socket.recv()


class EventSourceClient(Client):
    """Over server-sent events, as a browser's EventSource does it."""

    transport = "sse"
    last_id = ""

    async def _connect(self) -> float:
        asked = [("subscribe", json.dumps(one.asked(identifier))) for identifier, one in self.subscriptions.items()]
        headers = dict(self.headers()) | ({"Last-Event-ID": self.last_id} if self.last_id else {})
        url = f"{self.address()}/realtime/sse?{urlencode(asked)}"
        retry, fields = FIRST_DELAY, {}
        timeout = httpx.Timeout(ANSWER, read=SILENCE + ANSWER)
        async with (
            httpx.AsyncClient(timeout=timeout, verify=TLS) as http,
            http.stream("GET", url, headers=headers) as response,
        ):
            _check(response)
            async for line in response.aiter_lines():
                if line:
                    name, _, value = line.partition(":")
                    fields[name] = value.removeprefix(" ")
                    continue
                retry = float(fields["retry"]) / 1000 if "retry" in fields else retry
                if "data" in fields:
                    await self._take(json.loads(fields["data"]))
                self.last_id = fields.get("id", self.last_id)
                fields = {}
        return retry


class PollClient(Client):
    """Over polls, each of which is a connection of its own."""

    transport = "poll"
    wait = 0
    _http: httpx.AsyncClient | None = None

    async def follow(self) -> Goodbye:
        async with httpx.AsyncClient(timeout=self.wait + ANSWER, verify=TLS) as self._http:
            return await super().follow()

    async def _connect(self) -> float:
        assert self._http is not None
        asked = [one.asked(identifier) for identifier, one in self.subscriptions.items()]
        response = await self._http.post(
            f"{self.address()}/realtime/poll", json={"subscribe": asked, "wait": self.wait}, headers=self.headers()
        )
        _check(response)
        answer = response.json()
        for message in answer["messages"]:
            await self._take(message)
        return float(answer["retry_in"]) / 1000


class LongPollClient(PollClient):
    """Over long polls."""

    transport = "long poll"
    wait = 25


ALL = (SocketClient, EventSourceClient, LongPollClient, PollClient)


def _check(response: httpx.Response) -> None:
    """Goodbye where a request was refused. Without a time to come back at, only a fault of the server passes."""
    if response.status_code != 200:
        retry = response.headers.get("retry-after")
        helps = retry is not None or response.status_code >= 500
        raise Goodbye(response.status_code, None if retry is None else float(retry), helps)
