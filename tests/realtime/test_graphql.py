from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
import uvicorn
import websockets
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.conf import settings as configured
from django.contrib.auth import get_user_model

from realtime import access, asgi, connection, consumers, hub, roster, streams, subscriptions
from realtime.closing import Close
from realtime.limits import MAX_FRAME, MAX_PENDING_EVENTS
from realtime.subscriptions import Grant
from recsys.services.commands import listen
from recsys.services.protocol import BoundedProtocol
from recsys.services.server import make_config
from tests.architecture.tree import ROOT
from tests.realtime.conftest import Socket, append, headers_of

pytest.importorskip("strawberry", reason="GraphQL is an extra: pip install -r requirements-graphql.txt")
from graphql import build_schema, lexicographic_sort_schema, print_schema

from realtime.graphql import consumers as graphql_consumers
from realtime.graphql.connection import GraphQLConnection
from realtime.graphql.consumers import LONGEST_DOCUMENT
from realtime.graphql.schema import MAX_TOKENS, schema

PROTOCOL = "graphql-transport-ws"
STREAM = """subscription ($kind: String!, $arg: String, $position: String) {
  stream(kind: $kind, arg: $arg, position: $position) { __typename position ... on Events { events } }
}"""


class GraphQLSocket(Socket):
    """A client of `/realtime/graphql`."""

    async def begin(self, **payload: Any) -> None:
        await self.say(type="connection_init", payload=payload)
        assert await self.hear() == {"type": "connection_ack"}

    async def ask(self, identifier: str = "1", query: str = STREAM, **variables: Any) -> None:
        await self.say(type="subscribe", id=identifier, payload={"query": query, "variables": variables})

    async def told(self, identifier: str = "1") -> dict[str, Any]:
        """What the subscription is told next."""
        message = await self.hear()
        assert (message["type"], message["id"]) == ("next", identifier), message
        return dict(message["payload"]["data"]["stream"])

    async def refused(self, identifier: str = "1") -> str:
        """The code of the error that ends the operation."""
        message = await self.hear()
        assert (message["type"], message["id"]) == ("error", identifier), message
        return str(message["payload"][0].get("extensions", {}).get("code"))

    async def ended_with(self) -> int:
        """The code of the close, which is what comes next: the protocol has no other goodbye."""
        event = await self.receive_output(10)
        assert event["type"] == "websocket.close", event
        return int(event["code"])


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What strawberry has logged."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("strawberry")]


def connections() -> list[Any]:
    return list(hub.Hub.of_running_loop().connections)


@asynccontextmanager
async def opened(session: str | None, **options: Any) -> AsyncIterator[GraphQLSocket]:
    socket = GraphQLSocket(
        asgi.application, "/realtime/graphql", headers=headers_of(session, **options), subprotocols=[PROTOCOL]
    )
    assert await socket.connect() == (True, PROTOCOL)
    try:
        yield socket
    finally:
        await socket.disconnect()


@asynccontextmanager
async def begun(session: str | None, **payload: Any) -> AsyncIterator[GraphQLSocket]:
    async with opened(session) as socket:
        await socket.begin(**payload)
        yield socket


async def test_events_come_with_a_position_to_resume_from(session, names):
    async with begun(session) as socket:
        await socket.ask(kind="news")
        first = await socket.told()
        assert first["__typename"] == "Subscribed"
        await append("news:1", n=1)
        told = await socket.told()
        assert (told["__typename"], told["events"]) == ("Events", [{"type": "test", "n": 1}])
        recovery = await sync_to_async(streams.read)(names, first["position"])
        assert recovery.token == told["position"]
    await append("news:2", n=2)
    async with begun(session) as socket:
        await socket.ask(kind="news", position=told["position"])
        assert (await socket.told())["position"] == told["position"], "not yet past what follows"
        assert (await socket.told())["events"] == [{"type": "test", "n": 2}]


@pytest.mark.parametrize("position", ["nonsense", "news:1=5.5~news:2=5.5"])
async def test_a_position_that_cannot_be_resumed_from_is_a_resync(session, names, position):
    async with begun(session) as socket:
        await socket.ask(kind="news", position=position)
        assert (await socket.told())["__typename"] == "Subscribed"
        told = await socket.told()
        assert told == {"__typename": "Resync", "position": await sync_to_async(streams.positions)(names)}


async def test_what_the_rule_denies_is_an_error_of_the_operation(session, names, caplog):
    async with begun(session) as socket:
        for asked, code in (("nothing", ""), "denied"), (("news", "secret"), "denied"), (("news", "\n"), "invalid"):
            await socket.ask(kind=asked[0], arg=asked[1])
            assert await socket.refused() == code
        assert not logged(caplog), "no fault of ours"
        assert not hub.Hub.of_running_loop()._streams
        await socket.ask(kind="news", arg=None, position=None)
        assert (await socket.told())["__typename"] == "Subscribed", "the connection and the name can go on being used"


async def test_what_is_denied_later_ends_with_an_error(session, names, monkeypatch):
    async with begun(session) as socket:
        await socket.ask(kind="news")
        await socket.told()
        monkeypatch.setitem(subscriptions._rules, "news", lambda requests: [None for _ in requests])
        await append("news:1", type="resubscribe")
        message = await socket.hear()
        assert message["payload"]["errors"][0]["extensions"] == {"code": "denied"}
        assert await socket.hear() == {"type": "complete", "id": "1"}
        assert not hub.Hub.of_running_loop()._streams


async def test_a_fault_of_ours_is_logged_and_tells_strangers_nothing(monkeypatch, caplog):
    def fault(*_):
        raise ZeroDivisionError("an inner matter")

    monkeypatch.setattr(GraphQLConnection, "follow", fault)
    async with begun(None) as socket:
        await socket.ask(kind="news")
        assert "inner" not in (await socket.hear())["payload"][0]["message"]
    assert ["inner" in line for line in logged(caplog)] == [True]


async def test_operations_end_one_by_one(session, names):
    async with begun(session) as socket:
        for identifier in ("1", "2"):
            await socket.ask(identifier, kind="news")
            await socket.told(identifier)
        await socket.say(type="complete", id="1")
        await socket.say(type="ping")
        assert await socket.hear() == {"type": "pong"}
        await append("news:1", n=1)
        assert (await socket.told("2"))["events"] == [{"type": "test", "n": 1}]
        assert await socket.receive_nothing()
        assert len(connections()[0]._subscriptions) == 1
    assert not hub.Hub.of_running_loop()._streams


async def test_the_kinds_can_be_asked_for(session, names):
    async with begun(session) as socket:
        await socket.ask(query="{ kinds }")
        assert "news" in (await socket.hear())["payload"]["data"]["kinds"]
        assert await socket.hear() == {"type": "complete", "id": "1"}


class TestAdmission:
    async def test_a_token_logs_in(self, session, names, monkeypatch):
        user = await get_user_model().objects.aget(username="rea")
        monkeypatch.setattr(access, "_checks", [lambda issuers: issuers])
        async with begun(None, token=access.make_token(user=user.pk, issuer="shop")):
            assert hub.Hub.of_running_loop().connections.users == [user.pk]

    @pytest.mark.parametrize(
        ("token", "code"), [("nonsense", Close.NOT_LOGGED_IN), (5, Close.BAD_MESSAGE), ("x" * 1001, Close.BAD_MESSAGE)]
    )
    async def test_a_token_that_is_none_does_not(self, token, code):
        async with opened(None) as socket:
            await socket.say(type="connection_init", payload={"token": token})
            assert await socket.ended_with() == code

    async def test_a_foreign_page_is_refused(self, session):
        async with opened(session, origin="http://evil.example") as socket:
            assert await socket.ended_with() == Close.FOREIGN_ORIGIN

    async def test_whose_session_is_none_is_told_so(self, transactional_db):
        async with opened("unknown") as socket:
            assert await socket.ended_with() == Close.NOT_LOGGED_IN

    async def test_a_user_has_a_bounded_number_of_sockets(self, session, monkeypatch):
        monkeypatch.setattr(roster, "MAX_CONNECTIONS", 1)
        async with begun(session), opened(session) as second:
            assert await second.ended_with() == Close.TOO_MANY

    async def test_an_address_has_a_bounded_number_of_sockets(self, session, settings):
        settings.REALTIME_CONNECTIONS_PER_ADDRESS = 1
        async with begun(session), opened(session) as second:
            assert await second.ended_with() == Close.TOO_MANY

    async def test_logging_out_closes_the_socket(self, client_of, names, monkeypatch):
        monkeypatch.setattr(hub, "SESSION_INTERVAL", 0.1)
        client = await database_sync_to_async(client_of)("leaver")
        async with begun(client.session.session_key) as socket:
            await socket.ask(kind="news")
            await socket.told()
            await database_sync_to_async(client.logout)()
            assert await socket.ended_with() == Close.NOT_LOGGED_IN
        assert not hub.Hub.of_running_loop()._streams

    async def test_another_protocol_is_none_of_ours(self, session):
        socket = GraphQLSocket(
            asgi.application, "/realtime/graphql", headers=headers_of(session), subprotocols=["graphql-ws"]
        )
        assert await socket.connect() == (True, None)
        assert await socket.ended_with() == Close.NO_SUCH_PROTOCOL
        await socket.wait()


class TestLimits:
    async def test_subscriptions(self, session, names, monkeypatch):
        monkeypatch.setattr(connection, "MAX_SUBSCRIPTIONS", 1)
        async with begun(session) as socket:
            await socket.ask(kind="news")
            await socket.told()
            await socket.ask("2", kind="news")
            assert await socket.refused("2") == "limit"

    async def test_documents_that_ask_for_too_much(self, names):
        async with begun(None) as socket:
            for query, words in {
                "{ a: kinds b: kinds c: kinds d: kinds e: kinds }": "at most 4 aliases",
                "{ __schema { types { name } } }": "introspection has been disabled",
                "{ kinds { name } }": "must not have a selection",
                "mutation { kinds }": "not supported",
                "": "missing",
            }.items():
                await socket.ask(query=query)
                assert words in (await socket.hear())["payload"][0]["message"]

    @pytest.mark.parametrize(
        "query", ["{ kinds" + " kinds" * MAX_TOKENS + " }", "{a" * 1500, "{ kinds }" + " " * LONGEST_DOCUMENT, "{"]
    )
    async def test_documents_that_are_none_or_too_long_end_the_socket(self, query):
        async with begun(None) as socket:
            await socket.ask(query=query)
            assert await socket.ended_with() == Close.BAD_MESSAGE

    @pytest.mark.parametrize(
        "text",
        [
            "nonsense",
            "[]",
            "[" * 60_000,
            '{"type":7}',
            '{"type":"shout"}',
            '{"type":"subscribe","id":[],"payload":{"query":"{kinds}"}}',
            '{"type":"subscribe","id":"1","payload":"{kinds}"}',
            '{"type":"subscribe","id":"1","payload":{"query":7}}',
            '{"type":"subscribe","id":"1","payload":{"query":"{kinds}","variables":[]}}',
            '{"type":"complete","id":{}}',
        ],
    )
    async def test_messages_that_are_none_end_the_socket(self, text):
        async with begun(None) as socket:
            await socket.send_to(text_data=text)
            assert await socket.ended_with() == Close.BAD_MESSAGE

    async def test_binary_messages_end_the_socket(self):
        async with begun(None) as socket:
            await socket.send_to(bytes_data=b"{}")
            assert await socket.ended_with() == Close.BAD_MESSAGE

    async def test_a_flood_of_messages_ends_the_socket(self):
        async with begun(None) as socket:
            for _ in range(60):
                await socket.say(type="ping")
            while (event := await socket.receive_output(10))["type"] == "websocket.send":
                pass
            assert event["code"] == Close.TOO_MANY

    async def test_a_socket_that_never_begins_is_closed(self, monkeypatch):
        monkeypatch.setattr(graphql_consumers, "INIT_TIMEOUT", graphql_consumers.timedelta(seconds=0.1))
        async with opened(None) as socket:
            assert await socket.ended_with() == Close.TOO_SLOW

    async def test_nothing_is_followed_before_it_has_begun(self, names):
        async with opened(None) as socket:
            await socket.ask(kind="news")
            assert await socket.ended_with() == Close.NOT_LOGGED_IN


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


class SlowClient:
    """The other end of a socket that takes messages only while `takes` is set."""

    def __init__(self, session: str) -> None:
        self.takes = asyncio.Event()
        self.takes.set()
        self.sent: list[dict[str, Any]] = []
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.messages.put_nowait({"type": "websocket.connect"})
        self.say(type="connection_init")
        self.say(type="subscribe", id="1", payload={"query": STREAM, "variables": {"kind": "news"}})
        self.gone = False
        scope = {"type": "websocket", "path": "/realtime/graphql", "headers": headers_of(session), "scheme": "ws"}
        scope |= {"server": ("localhost", 8000), "subprotocols": [PROTOCOL]}
        self.serving = asyncio.ensure_future(asgi.application(scope, self.messages.get, self.send))

    def say(self, **message: Any) -> None:
        self.messages.put_nowait({"type": "websocket.receive", "text": orjson.dumps(message).decode()})

    async def send(self, message: dict[str, Any]) -> None:
        await self.takes.wait()
        if self.gone:
            raise ConnectionResetError
        self.sent.append(message)

    async def leave(self) -> None:
        self.messages.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(self.serving, 10)

    async def got(self, words: str) -> None:
        await until(lambda: any(words in message.get("text", "") for message in self.sent))


async def test_what_waits_for_a_slow_reader_is_bounded(session, names):
    client = SlowClient(session)
    await client.got("Subscribed")
    client.takes.clear()
    for start in range(0, 3 * MAX_PENDING_EVENTS, 100):
        await sync_to_async(streams.append)([("news:1", {"type": "test", "n": start + n}) for n in range(100)])
        (mine,) = connections()[0]._subscriptions.values()
        await until(lambda: mine.positions["news:1"].offset == start + 100)  # noqa: B023
        assert len(mine._events) <= MAX_PENDING_EVENTS
    taken = len(client.sent)
    client.takes.set()
    await client.got("Resync")
    assert len(client.sent) <= taken + 2, "one that was on its way, and the resync in place of all others"
    await client.leave()


async def test_what_is_denied_to_a_slow_reader_harms_nobody(session, names, monkeypatch):
    """It has not been told yet when something else comes for the same connection."""
    client = SlowClient(session)
    await client.got("Subscribed")
    monkeypatch.setitem(subscriptions._rules, "more", lambda requests: [Grant(["more:1"]) for _ in requests])
    client.say(type="subscribe", id="2", payload={"query": STREAM, "variables": {"kind": "more"}})
    await client.got('"id":"2"')
    client.takes.clear()
    await append("news:1", n=1)
    await until(lambda: connections()[0]._busy)
    monkeypatch.setitem(subscriptions._rules, "news", lambda requests: [None for _ in requests])
    await append("news:1", type="resubscribe")
    await until(lambda: len(connections()[0]._subscriptions) == 1)
    await append("more:1", n=2)
    (mine,) = connections()[0]._subscriptions.values()
    await until(lambda: mine.positions["more:1"].offset == 1)
    client.takes.set()
    await client.got('"n":2')
    await client.got('"denied"')
    await client.leave()


async def test_a_client_that_has_gone_is_no_fault(session, names, caplog):
    client = SlowClient(session)
    await client.got("Subscribed")
    client.gone = True
    await append("news:1", n=1)
    await until(lambda: connections()[0]._sent == 3)
    await client.leave()
    assert not logged(caplog)


async def test_a_reader_who_takes_nothing_is_dropped(session, names, monkeypatch):
    monkeypatch.setattr(hub, "CHECK_INTERVAL", 0.05)
    monkeypatch.setattr(consumers, "STALLED", 0.1)
    client = SlowClient(session)
    await client.got("Subscribed")
    client.takes.clear()
    for _ in range(500):
        client.say(type="ping")
    await until(lambda: not connections())
    assert client.messages.qsize() > 450, "nothing more is taken from one who takes nothing"
    client.takes.set()
    await asyncio.wait_for(client.serving, 10)
    assert client.sent[-1]["code"] == Close.TOO_SLOW


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A server of ours on a real port, in this event loop."""
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(make_config(BoundedProtocol, "realtime.asgi:application"))
    serving = asyncio.create_task(server.serve([listener]))
    yield f"ws://127.0.0.1:{listener.getsockname()[1]}/realtime/graphql"
    server.should_exit = True
    await serving


class TestOnARealSocket:
    @staticmethod
    def connect(url, session):
        cookie = {"Cookie": f"{configured.SESSION_COOKIE_NAME}={session}"}
        origin = url.replace("ws:", "http:").removesuffix("/realtime/graphql")
        return websockets.connect(url, subprotocols=[PROTOCOL], origin=origin, additional_headers=cookie)

    async def test_it_is_followed_and_sent_away_when_the_server_stops(self, session, names, url):
        async with self.connect(url, session) as client:
            assert client.subprotocol == PROTOCOL
            await client.send('{"type": "connection_init"}')
            assert orjson.loads(await client.recv()) == {"type": "connection_ack"}
            ask = {"query": STREAM, "variables": {"kind": "news"}}
            await client.send(orjson.dumps({"type": "subscribe", "id": "1", "payload": ask}).decode())
            assert b"Subscribed" in await client.recv(decode=False)
            await append("news:1", n=1)
            told = orjson.loads(await client.recv())["payload"]["data"]["stream"]
            assert told["events"] == [{"type": "test", "n": 1}]
            await hub.Hub.drain()
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd.code == Close.RESTARTING

    async def test_frames_have_a_bound(self, session, url):
        async with self.connect(url, session) as client:
            await client.send("x" * (MAX_FRAME + 1))
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd.code == Close.TOO_BIG


def test_the_documentation_has_the_schema():
    def bare(text: str) -> str:
        without = re.sub(r'""".*?"""|@specifiedBy[(].*?[)]', "", text, flags=re.S)
        return print_schema(lexicographic_sort_schema(build_schema(without)))

    (documented,) = re.findall(r"```graphql\n(type.*?)```", (ROOT / "docs" / "realtime.md").read_text(), flags=re.S)
    assert bare(documented) == bare(schema.as_str())
