from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import sync_to_async

from realtime import hub, limits, signals, streams
from realtime.closing import Close, Closed
from realtime.messages import Message
from realtime.polling import PollConnection
from realtime.valkey import get_client
from realtime.visitors import Visitor
from tests.realtime.conftest import append, opened, requested


def body(position: str = "", wait: float = 0, kind: str = "news") -> dict:
    return {"subscribe": [{"id": "1", "kind": kind, "position": position}], "wait": wait}


async def polled(session: str | None, **options) -> dict:
    async with requested("POST", "/realtime/poll", session, body=body(**options)) as response:
        assert response.status == 200
        return await response.json()


async def test_a_first_poll_says_where_it_begins_and_the_next_what_happened(session, names):
    answer = await polled(session)
    (subscribed,) = answer["messages"]
    assert answer["retry_in"] == 5000
    await append("news:1", n=1)
    first, second = (await polled(session, position=subscribed["position"]))["messages"]
    assert first["type"] == "subscribed"
    assert second["events"] == [{"type": "test", "n": 1}]
    (nothing,) = (await polled(session, position=second["position"]))["messages"]
    assert nothing["position"] == second["position"]


async def test_a_long_poll_is_answered_as_soon_as_something_happens(session, names):
    position = (await polled(session))["messages"][0]["position"]
    polling = asyncio.create_task(polled(session, position=position, wait=20))
    while not hub.Hub.of_running_loop()._streams:
        await asyncio.sleep(0.01)
    await append("news:2", n=2)
    answer = await asyncio.wait_for(polling, 10)
    assert [message["type"] for message in answer["messages"]] == ["subscribed", "events"]
    assert answer["retry_in"] == 0


async def test_a_long_poll_without_news_ends_in_time(session, names):
    position = (await polled(session))["messages"][0]["position"]
    (subscribed,) = (await polled(session, position=position, wait=0.1))["messages"]
    assert subscribed["position"] == position


async def test_a_first_long_poll_does_not_wait(session, names):
    assert (await asyncio.wait_for(polled(session, wait=25), 10))["messages"][0]["type"] == "subscribed"


async def test_a_position_that_cannot_be_resumed_from_is_a_resync(session, names):
    messages = (await polled(session, position="nonsense", wait=25))["messages"]
    assert [message["type"] for message in messages] == ["subscribed", "resync"]
    assert messages[1]["position"] == await sync_to_async(streams.positions)(names)


async def test_a_denied_subscription_is_an_error_among_the_messages(session, names):
    (error,) = (await polled(session, kind="nothing", wait=5))["messages"]
    assert (error["type"], error["code"]) == ("error", "denied")


async def test_a_client_that_goes_leaves_nothing_behind(session, names):
    position = (await polled(session))["messages"][0]["position"]
    mine = hub.Hub.of_running_loop()
    polling = asyncio.create_task(polled(session, position=position, wait=20))
    while not mine._streams:
        mine = hub.Hub.of_running_loop()
        await asyncio.sleep(0.01)
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)
    assert not mine._streams
    assert not len(mine.connections)


async def test_a_server_that_stops_sends_pollers_away(session, names, monkeypatch):
    position = (await polled(session))["messages"][0]["position"]
    polling = asyncio.create_task(_refused(session, body(position, 20)))
    while not len(hub.Hub.of_running_loop().connections):
        await asyncio.sleep(0.01)
    monkeypatch.setattr(hub.Hub, "_draining", {})
    await hub.Hub.drain()
    status, headers = await asyncio.wait_for(polling, 10)
    assert status == 503
    assert "retry-after" in headers
    assert (await _refused(session, body()))[0] == 503, "and takes no more"


@pytest.mark.parametrize("steps", range(6))
async def test_a_poll_is_ended_at_whatever_moment_of_its_beginning(session, names, steps):
    position = (await polled(session))["messages"][0]["position"]
    async with opened(session):  # so that the hub runs already
        poll = PollConnection(Visitor(), "192.0.2.1")
        polling = asyncio.create_task(poll.serve([Message("subscribe", id="1", kind="news", position=position)], 20))
        for _ in range(steps):
            await asyncio.sleep(0)
        while poll._serving is None:
            await asyncio.sleep(0)
        poll.end(Closed(Close.RESTARTING, "This server restarts."))
        assert (await asyncio.wait({polling}, timeout=10))[0]
        with pytest.raises(Closed):
            polling.result()


async def _refused(session: str, asked: dict) -> tuple[int, dict[str, str]]:
    async with requested("POST", "/realtime/poll", session, body=asked) as response:
        return response.status, response.headers


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"nonsense", 400, "not JSON"),
        (b"[]", 400, "JSON object"),
        (b"{}", 400, '"subscribe"'),
        (b'{"subscribe": [1]}', 400, "object"),
        (b'{"subscribe": [{"id": "1"}]}', 400, '"kind"'),
        (b'{"subscribe": [{"id": "1", "kind": "news"}, {"id": "1", "kind": "news"}]}', 400, "its own"),
        (b'{"subscribe": [{"id": "1", "kind": "news"}], "wait": 26}', 400, '"wait"'),
        (b'{"subscribe": [{"id": "1", "kind": "news"}], "wait": true}', 400, '"wait"'),
        (b"[" * 65_000, 400, "not JSON"),
        (b" " * 65_537, 413, "65536"),
    ],
)
async def test_a_body_that_is_none_is_answered_clearly(content, status, words):
    async with requested("POST", "/realtime/poll", body=content) as response:
        assert response.status == status
        assert words in (await response.json())["message"]


async def test_the_cookie_of_a_page_without_an_origin_does_not_count(session, names):
    """A form of another site could send it."""
    async with requested("POST", "/realtime/poll", session, body=body(), origin=None) as response:
        assert response.status == 200
    async with requested("POST", "/realtime/poll", session, body=body(), origin="http://evil.example") as response:
        assert response.status == 403


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/realtime/poll", 405), ("POST", "/realtime/x", 404)])
async def test_other_paths_and_methods_say_what_there_is(method, path, status):
    async with requested(method, path) as response:
        assert response.status == status
        assert "/realtime/poll" in (await response.json())["message"]


async def test_valkey_away_is_a_time_to_come_back_at(session, names, monkeypatch):
    async def away(*_):
        raise ConnectionError("away")

    monkeypatch.setattr(hub.Hub, "_read", away)
    async with requested("POST", "/realtime/poll", session, body=body()) as response:
        assert response.status == 503
        assert int(response.headers["retry-after"]) >= 1


@pytest.fixture
def typing(monkeypatch) -> None:
    """A signal that users may give to everything but "secret"."""

    def rule(user, argument):
        return None if user is None or argument == "secret" else [("news:1", {"type": "typing", "user": user})]

    monkeypatch.setitem(signals._rules, ("news", "typing"), rule)


async def signalled(session: str | None, **message: str) -> int:
    async with requested("POST", "/realtime/signal", session, body=message) as response:
        return response.status


async def test_a_signal_reaches_the_readers_of_the_stream(session, names, typing):
    position = (await polled(session))["messages"][0]["position"]
    assert await signalled(session, kind="news", name="typing") == 204
    assert (await polled(session, position=position))["messages"][1]["events"][0]["type"] == "typing"


async def test_signals_are_refused_where_the_rule_says_so(session, names, typing):
    assert await signalled(session, kind="news", arg="secret", name="typing") == 403
    assert await signalled(session, kind="news", name="shout") == 403
    assert await signalled(None, kind="news", name="typing") == 403
    assert await signalled(session, kind="news") == 400
    assert not get_client().exists("realtime:stream:news:1")


class TestOtherSites:
    """Pages of REALTIME_ORIGINS, with a token instead of a cookie."""

    ORIGIN = "https://shop.example"

    async def test_they_may_read_the_answer(self, session, names, settings):
        settings.REALTIME_ORIGINS = [self.ORIGIN]
        async with requested("POST", "/realtime/poll", session, body=body(), origin=self.ORIGIN) as response:
            assert response.headers["access-control-allow-origin"] == self.ORIGIN
            assert "access-control-allow-credentials" not in response.headers

    async def test_their_cookies_do_not_count(self, session, names, typing, settings):
        settings.REALTIME_ORIGINS = [self.ORIGIN]
        message = {"kind": "news", "name": "typing"}
        async with requested("POST", "/realtime/signal", session, body=message, origin=self.ORIGIN) as response:
            assert response.status == 403

    async def test_browsers_may_ask_beforehand(self, settings):
        settings.REALTIME_ORIGINS = [self.ORIGIN]
        async with requested("OPTIONS", "/realtime/poll", origin=self.ORIGIN) as response:
            assert "Authorization" in response.headers["access-control-allow-headers"]
        async with requested("OPTIONS", "/realtime/poll", origin="https://evil.example") as response:
            assert "access-control-allow-origin" not in response.headers


async def test_an_answer_that_waits_is_ended_with_the_log_in(session, names, monkeypatch):
    position = (await polled(session))["messages"][0]["position"]
    polling = asyncio.create_task(_refused(session, body(position, 20)))
    while not len(hub.Hub.of_running_loop().connections):
        await asyncio.sleep(0.01)
    for listener in hub.Hub.of_running_loop().connections:
        listener.end(Closed(4401, "You are no longer logged in."))
    assert (await asyncio.wait_for(polling, 10))[0] == 401


async def test_polls_one_after_the_other_are_counted_too(session, names, settings, monkeypatch):
    settings.REALTIME_NEW_CONNECTIONS_PER_SECOND = 0.01
    monkeypatch.setattr(limits, "BURST_SECONDS", 200)
    await polled(session)
    await polled(session)
    status, headers = await _refused(session, body())
    assert status == 429
    assert int(headers["retry-after"]) >= 5
