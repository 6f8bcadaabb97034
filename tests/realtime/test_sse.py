from __future__ import annotations

import asyncio
from urllib.parse import urlencode

import orjson
import pytest
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async

from realtime import connection, hub, sse, streams, subscriptions
from realtime.closing import Close
from realtime.subscriptions import Grant
from tests.realtime.conftest import append, requested


def asked(*subscriptions: dict[str, str], **more: str) -> str:
    return urlencode([*(("subscribe", orjson.dumps(one).decode()) for one in subscriptions), *more.items()])


NEWS = {"id": "1", "kind": "news"}


async def test_events_come_with_a_position_to_resume_from(session, names):
    async with requested("GET", "/realtime/sse", session, query=asked(NEWS)) as response:
        assert (response.status, response.headers["content-type"]) == (200, "text/event-stream")
        assert await response.event() == {"retry": "2000"}
        subscribed = await response.event()
        assert subscribed["event"] == "subscribed"
        assert orjson.loads(subscribed["data"])["position"] == subscribed["id"]
        await append("news:1", n=1)
        event = await response.event()
        assert event["event"] == "events"
        assert orjson.loads(event["data"])["events"] == [{"type": "test", "n": 1}]
    await append("news:2", n=2)
    again = [(b"last-event-id", event["id"].encode())]
    old = NEWS | {"position": subscribed["id"]}
    async with requested("GET", "/realtime/sse", session, query=asked(old), headers=again) as response:
        assert (await response.message())["type"] == "subscribed"
        assert (await response.message())["events"] == [{"type": "test", "n": 2}], "the later position counts"


async def test_one_position_stands_for_all_subscriptions_of_the_connection(session, names, monkeypatch):
    monkeypatch.setitem(subscriptions._rules, "more", lambda requests: [Grant(["news:2", "more:1"]) for _ in requests])
    both = asked(NEWS, {"id": "2", "kind": "more"})
    async with requested("GET", "/realtime/sse", session, query=both) as response:
        await response.event()
        first, second = await response.event(), await response.event()
        assert {orjson.loads(one["data"])["id"] for one in (first, second)} == {"1", "2"}
        known = second["id"]
    for name in ("news:1", "news:2", "more:1"):
        await append(name, of=name)
    async with requested(
        "GET", "/realtime/sse", session, query=both, headers=[(b"last-event-id", known.encode())]
    ) as response:
        heard: dict[str, set[str]] = {"1": set(), "2": set()}
        while sum(map(len, heard.values())) < 4:
            event = await response.event()
            if event.get("event") == "events":
                message = orjson.loads(event["data"])
                heard[message["id"]] |= {one["of"] for one in message["events"]}
        assert heard == {"1": {"news:1", "news:2"}, "2": {"news:2", "more:1"}}


@pytest.mark.parametrize("later", ["1", "2"])
async def test_a_connection_lost_between_two_messages_is_resumed_without_a_gap(session, names, monkeypatch, later):
    """The position after one subscription's events must not speak of those of the other, which are to come."""
    granted = connection.Connection._granted

    async def slowly(self, subscription):
        if subscription.identifier == later:
            await asyncio.sleep(0.2)
        return await granted(self, subscription)

    monkeypatch.setattr(connection.Connection, "_granted", slowly)
    monkeypatch.setitem(subscriptions._rules, "more", lambda requests: [Grant(["news:2"]) for _ in requests])
    only = await sync_to_async(streams.positions)(["news:1", "news:2"])
    await append("news:2", n=2)
    both = asked(NEWS | {"position": only}, {"id": "2", "kind": "more", "position": only})
    async with requested("GET", "/realtime/sse", session, query=both) as response:
        known, got = "", ""
        while not got:
            event = await response.event()
            known = event.get("id", known)
            got = orjson.loads(event["data"])["id"] if event.get("event") == "events" else ""
    again = [(b"last-event-id", known.encode())] if known else []
    async with requested("GET", "/realtime/sse", session, query=both, headers=again) as response:
        while (message := await response.message())["type"] != "events" or message["id"] == got:
            pass
        assert [one["n"] for one in message["events"]] == [2]


async def test_a_position_that_is_none_is_a_resync(session, names):
    async with requested("GET", "/realtime/sse", session, query=asked(NEWS | {"position": "nonsense"})) as response:
        assert (await response.message())["type"] == "subscribed"
        assert (await response.message())["type"] == "resync"


async def test_a_subscription_that_is_denied_leaves_the_others_alone(session, names):
    both = asked({"id": "2", "kind": "nothing"}, NEWS)
    async with requested("GET", "/realtime/sse", session, query=both) as response:
        answers = [await response.message(), await response.message()]
        assert {(one["type"], one["id"], one.get("code")) for one in answers} == {
            ("error", "2", "denied"),
            ("subscribed", "1", None),
        }


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "1 to 60"),
        ("subscribe=x", "not JSON"),
        ("subscribe=[]", "JSON object"),
        (asked({"kind": "news"}), '"id"'),
        (asked(NEWS, NEWS), "an id of its own"),
        (asked(*[NEWS | {"id": str(number)} for number in range(61)]), "1 to 60"),
    ],
)
async def test_a_query_that_is_none_is_answered_clearly(query, words):
    async with requested("GET", "/realtime/sse", query=query) as response:
        assert response.status == 400
        answer = await response.json()
        assert answer["code"] == "invalid"
        assert words in answer["message"]


async def test_whose_session_has_ended_is_told_so(transactional_db):
    async with requested("GET", "/realtime/sse", "unknown", query=asked(NEWS)) as response:
        assert response.status == 401


async def test_a_foreign_page_is_refused(session):
    async with requested("GET", "/realtime/sse", session, query=asked(NEWS), origin="http://evil.example") as response:
        assert response.status == 403


async def test_a_cookie_that_a_foreign_page_sends_along_does_not_count(session, names, monkeypatch):
    """Without an origin a browser says whether it is another site that reads."""
    users = []
    rule = subscriptions._rules["news"]
    monkeypatch.setitem(
        subscriptions._rules, "news", lambda requests: users.extend(one.user for one in requests) or rule(requests)
    )
    for site, own in {"cross-site": False, "same-site": False, "same-origin": True}.items():
        users.clear()
        about = [(b"sec-fetch-site", site.encode())]
        async with requested(
            "GET", "/realtime/sse", session, query=asked(NEWS), origin=None, headers=about
        ) as response:
            await response.message()
        assert [user is not None for user in users] == [own], site


async def test_silence_is_broken_by_pings(session, names, monkeypatch):
    monkeypatch.setattr(hub, "CHECK_INTERVAL", 0.05)
    monkeypatch.setattr(sse, "PING_AFTER", 0.1)
    async with requested("GET", "/realtime/sse", session, query=asked(NEWS)) as response:
        while (await response.message())["type"] != "subscribed":
            pass
        assert await response.message() == {"type": "ping"}
        assert await response.message() == {"type": "ping"}


async def test_logging_out_ends_the_stream(client_of, names, monkeypatch):
    monkeypatch.setattr(hub, "SESSION_INTERVAL", 0.1)
    client = await database_sync_to_async(client_of)("leaver")
    async with requested("GET", "/realtime/sse", client.session.session_key, query=asked(NEWS)) as response:
        await response.message()
        await database_sync_to_async(client.logout)()
        goodbye = await response.message()
        assert (goodbye["type"], goodbye["code"]) == ("goodbye", Close.NOT_LOGGED_IN)
        with pytest.raises(EOFError):
            await response.event()


async def test_nothing_is_left_when_the_client_has_gone(session, names):
    async with requested("GET", "/realtime/sse", session, query=asked(NEWS)) as response:
        await response.message()
        mine = hub.Hub.of_running_loop()
        assert len(mine.connections) == 1
    assert not mine._streams
    assert not len(mine.connections)
