from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
import redis
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.contrib.auth import get_user_model
from django.core import signing

from realtime import access, connection, consumers, hub, limits, roster, signals, streams, subscriptions, visitors
from realtime.admission import address_of
from realtime.asgi import application
from realtime.batches import Overloaded
from realtime.closing import Close, Closed
from realtime.keys import STREAM
from realtime.subscriptions import Grant, Request
from tests.realtime.conftest import Socket, append, headers_of, opened


async def subscribed(socket, position: str = "", identifier: str = "1") -> str:
    await socket.say(type="subscribe", id=identifier, kind="news", position=position)
    answer = await socket.hear()
    assert (answer["type"], answer["id"]) == ("subscribed", identifier)
    return answer["position"]


async def test_an_event_arrives_with_the_position_after_it(session, names):
    async with opened(session) as socket:
        first = await subscribed(socket)
        await append("news:1", n=1)
        frame = await socket.hear()
        assert frame["type"] == "events"
        assert frame["events"] == [{"type": "test", "n": 1}]
        recovery = await sync_to_async(streams.read)(names, first)
        assert recovery.token == frame["position"]


async def test_a_subscription_that_ends_before_it_was_looked_at_leaves_nothing(session, names):
    async with opened(session) as socket:
        await socket.say(type="subscribe", id="1", kind="news")
        await socket.say(type="unsubscribe", id="1")
        await socket.say(type="ping")
        assert await socket.hear() == {"type": "pong"}
        await subscribed(socket)


async def test_a_client_that_comes_back_gets_what_it_missed_once(session, names):
    async with opened(session) as socket:
        position = await subscribed(socket)
    await append("news:1", n=1)
    await append("news:2", n=2)
    async with opened(session) as socket:
        assert await subscribed(socket, position) == position, "not yet past what follows"
        frame = await socket.hear()
        assert sorted(event["n"] for event in frame["events"]) == [1, 2]
        await append("news:1", n=3)
        assert [event["n"] for event in (await socket.hear())["events"]] == [3]


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        "news:1=5.5~news:2=5.5",
        "news:3=5.5",
        "news:1=5~news:2=5",  # epochs without offsets
        "news:1=5.~news:2=.5",
        'a"b=5.5',
        f"news:1={'9' * 5000}.5",
    ],
    ids=lambda token: token[:20],
)
async def test_a_position_that_cannot_be_resumed_from_is_a_resync(session, names, token):
    async with opened(session) as socket:
        await socket.say(type="subscribe", id="1", kind="news", position=token)
        assert (await socket.hear())["type"] == "subscribed"
        frame = await socket.hear()
        assert frame["type"] == "resync"
        assert frame["position"] == await sync_to_async(streams.positions)(names)


async def test_two_sockets_of_one_process_both_hear(client_of, names):
    sessions = await database_sync_to_async(lambda: [client_of(name).session.session_key for name in ("ann", "bob")])()
    async with opened(sessions[0]) as ann, opened(sessions[1]) as bob:
        await subscribed(ann)
        await subscribed(bob, identifier="x")
        await append("news:2", n=7)
        for socket in (ann, bob):
            assert (await socket.hear())["events"] == [{"type": "test", "n": 7}]


async def test_a_lost_wake_up_is_healed(session, names, monkeypatch):
    monkeypatch.setattr(hub, "CHECK_INTERVAL", 0.2)
    monkeypatch.setattr(streams, "_wake", lambda readers: None)
    async with opened(session) as socket:
        await subscribed(socket)
        await append("news:1", n=1)
        assert (await socket.hear())["events"] == [{"type": "test", "n": 1}]


async def test_a_lost_memory_of_valkey_is_a_resync(session, names, monkeypatch, valkey):
    monkeypatch.setattr(hub, "CHECK_INTERVAL", 0.2)
    async with opened(session) as socket:
        await subscribed(socket)
        await append("news:1", n=1)
        await socket.hear()
        await sync_to_async(valkey.flushdb)()
        frame = await socket.hear()
        assert frame["type"] == "resync"
        while (await sync_to_async(streams.positions)(names)) != frame["position"]:
            frame = await socket.hear()  # each of the two streams was noticed at a time of its own
        await append("news:2", n=2)
        assert (await socket.hear())["events"] == [{"type": "test", "n": 2}]


async def test_resubscribing_brings_new_streams_from_the_position_and_drops_old_ones(session, names):
    async with opened(session) as socket:
        await subscribed(socket)
        names[:] = ["news:1", "news:3"]
        position = await sync_to_async(streams.positions)(["news:3"])
        await append("news:3", n=3)
        await append("news:1", type="resubscribe", position=position)
        assert (await socket.hear())["events"] == [{"type": "test", "n": 3}]
        await append("news:2", n=2)
        await append("news:3", n=4)
        frame = await socket.hear()
        assert frame["events"] == [{"type": "test", "n": 4}]
        assert "news:2" not in frame["position"]


async def test_a_renewal_lost_with_the_memory_of_valkey_is_made_up_for(session, names, monkeypatch, valkey):
    monkeypatch.setattr(hub, "CHECK_INTERVAL", 0.2)
    async with opened(session) as socket:
        await subscribed(socket)
        names.append("news:3")
        await sync_to_async(valkey.flushdb)()
        while "news:3" not in (frame := await socket.hear())["position"]:
            assert frame["type"] == "resync"


async def test_a_renewal_that_knows_less_does_not_end_last(session, names, monkeypatch):
    asked, overtaken = threading.Event(), threading.Event()

    def rule(requests):
        answer = [Grant(list(names)) for _ in requests]
        if asked.is_set():
            overtaken.set()
        elif "news:3" in names:
            names.remove("news:3")
            asked.set()
            overtaken.wait(0.3)
        return answer

    monkeypatch.setitem(subscriptions._rules, "news", rule)
    async with opened(session) as socket:
        await subscribed(socket)
        names.append("news:3")
        await append("news:1", type="resubscribe")
        await asyncio.to_thread(asked.wait, 5)
        await append("news:1", type="resubscribe")
        await asyncio.to_thread(overtaken.wait, 5)
        assert (await socket.hear())["type"] == "resync"
        async with asyncio.timeout(5):
            while "news:3" in hub.Hub.of_running_loop()._streams:
                await asyncio.sleep(0.01)
        await append("news:3", n=3)
        await append("news:1", n=1)
        assert (await socket.hear())["events"] == [{"type": "test", "n": 1}]


async def test_unsubscribing_ends_a_renewal_too(session, names, monkeypatch):
    asked, go_on = threading.Event(), threading.Event()
    async with opened(session) as socket:
        await subscribed(socket)
        rule = subscriptions._rules["news"]
        monkeypatch.setitem(
            subscriptions._rules, "news", lambda requests: asked.set() or (go_on.wait(5) and rule(requests))
        )
        names.append("news:3")
        await append("news:1", type="resubscribe")
        await asyncio.to_thread(asked.wait, 5)
        await socket.say(type="unsubscribe", id="1")
        await socket.say(type="ping")
        assert await socket.hear() == {"type": "pong"}
        go_on.set()
        await database_sync_to_async(get_user_model().objects.count)()
        await socket.say(type="ping")
        assert await socket.hear() == {"type": "pong"}
        assert not hub.Hub.of_running_loop()._streams


async def test_a_hub_that_cannot_listen_at_first_tries_again(session, names, monkeypatch):
    monkeypatch.setattr(hub, "RETRY", 0.01)
    layer = get_channel_layer()
    answers = [redis.ConnectionError("not yet"), redis.ConnectionError("nor now")]
    new_channel = layer.new_channel

    async def away_at_first() -> str:
        if answers:
            raise answers.pop()
        return await new_channel()

    monkeypatch.setattr(layer, "new_channel", away_at_first)
    async with opened(session) as socket:
        await subscribed(socket)
        await append("news:1", n=1)
        assert (await socket.hear())["events"] == [{"type": "test", "n": 1}]


async def test_what_is_delivered_while_a_reader_catches_up_reaches_it_too(session, names, monkeypatch):
    read = hub.Hub._read
    async with opened(session) as first, opened(session) as second:
        await subscribed(first)

        async def overtaken(self, wanted):
            found = await read(self, wanted)
            if wanted.get("news:1", "") is None:  # the second one's, from now on
                await append("news:1", n=1)
                assert (await first.hear())["events"] == [{"type": "test", "n": 1}]
            return found

        monkeypatch.setattr(hub.Hub, "_read", overtaken)
        await subscribed(second)
        assert (await second.hear())["events"] == [{"type": "test", "n": 1}]


async def test_sockets_do_not_stay_with_a_hub_that_broke(session, names, monkeypatch):
    def fault(*_):
        raise AssertionError("a fault in the program")

    async with opened(session) as socket:
        await subscribed(socket)
        with monkeypatch.context() as patch:
            patch.setattr(hub.Hub, "_hand_out", fault)
            await append("news:1", n=1)
            assert await socket.closed_with() == Close.TRY_LATER
    async with opened(session) as socket:
        await subscribed(socket)
        await append("news:1", n=2)
        assert (await socket.hear())["events"] == [{"type": "test", "n": 2}]


async def test_a_cookie_that_another_program_wrote_badly_does_no_harm(session, names):
    async with opened(f"{session}; theirs={{a b: 1}}, x") as socket:
        await subscribed(socket)


async def test_resubscribing_without_a_position_reloads(session, names):
    async with opened(session) as socket:
        await subscribed(socket)
        names.append("news:3")
        await append("news:1", type="resubscribe")
        assert (await socket.hear())["type"] == "resync"


async def test_unsubscribing_ends_it(session, names):
    async with opened(session) as socket:
        await subscribed(socket)
        await socket.say(type="unsubscribe", id="1")
        await append("news:1", n=1)
        await socket.say(type="ping")
        assert await socket.hear() == {"type": "pong"}
        assert not hub.Hub.of_running_loop()._streams


async def test_nothing_runs_once_the_last_socket_has_gone(session, names):
    before = asyncio.all_tasks()
    async with opened(session) as socket:
        await subscribed(socket)
        await append("news:1", n=1)
        await socket.hear()
    names_left = {task.get_name() for task in asyncio.all_tasks() - before if "RedisSingleShard" not in repr(task)}
    assert not names_left


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("not json", "not JSON"),
        ("[]", "JSON object"),
        ("[" * 60_000, "not JSON"),
        ('{"type": "shout"}', "subscribe"),
        ('{"type": "subscribe", "id": "1"}', '"kind"'),
        ('{"type": "subscribe", "id": "1", "kind": "nothing"}', "nothing"),
        ('{"type": "subscribe", "id": "1", "kind": "news", "arg": "secret"}', "secret"),
        ('{"type": "subscribe", "id": "1", "kind": {"a": 1}}', "dict"),
        ('{"type": "subscribe", "id": "1", "kind": "a\\u0000b"}', "control"),
        ('{"type": "subscribe", "id": "1", "kind": "' + "k" * 65 + '"}', "64"),
        ('{"type": "unsubscribe", "id": "9"}', "'9'"),
        ('{"type": "ping", "padding": "' + "x" * 65_536 + '"}', "65536"),
    ],
)
async def test_a_bad_message_gets_a_clear_answer_and_harms_nothing(session, names, message, words):
    async with opened(session) as socket:
        await socket.send_to(text_data=message)
        answer = await socket.hear()
        assert answer["type"] == "error"
        assert words in answer["message"]
        await subscribed(socket)


async def test_more_subscriptions_than_allowed_are_refused(session, names, monkeypatch):
    monkeypatch.setattr(connection, "MAX_SUBSCRIPTIONS", 1)
    async with opened(session) as socket:
        await subscribed(socket)
        await socket.say(type="subscribe", id="2", kind="news")
        assert "at most 1" in (await socket.hear())["message"]


async def test_a_flood_of_messages_ends_the_socket(session, names):
    async with opened(session) as socket:
        for _ in range(60):
            await socket.say(type="ping")
        while (message := await socket.hear())["type"] == "pong":
            pass
        assert message["type"] == "goodbye"
        assert message["retry_in"] >= 5000
        event = await socket.receive_output(5)
        assert event == {"type": "websocket.close", "code": Close.TOO_MANY, "reason": "Too many messages."}


async def test_binary_messages_end_the_socket(session):
    async with opened(session) as socket:
        await socket.send_to(bytes_data=b"{}")
        assert await socket.closed_with() == Close.BAD_MESSAGE


async def test_a_user_has_a_bounded_number_of_sockets(session, monkeypatch):
    monkeypatch.setattr(roster, "MAX_CONNECTIONS", 1)
    async with opened(session) as first:
        await first.say(type="ping")
        assert await first.hear() == {"type": "pong"}, "it has been let in, not only accepted"
        async with opened(session) as second:
            assert await second.closed_with() == Close.TOO_MANY
        await first.say(type="ping")
        assert await first.hear() == {"type": "pong"}


@pytest.mark.parametrize("key", ["unknown", "x" * 5000, "a\x00b"])
async def test_whose_session_is_none_is_told_so(transactional_db, key):
    async with opened(key) as socket:
        assert await socket.closed_with() == Close.NOT_LOGGED_IN


@pytest.mark.parametrize("key", [None, ""])
async def test_without_a_session_one_is_a_stranger(transactional_db, names, monkeypatch, key):
    asked: list[Request] = []
    rule = subscriptions._rules["news"]
    monkeypatch.setitem(subscriptions._rules, "news", lambda requests: asked.extend(requests) or rule(requests))
    async with opened(key) as socket:
        await subscribed(socket)
        assert asked == [Request(None)]


async def test_logging_out_closes_the_socket(client_of: Callable, names, monkeypatch):
    monkeypatch.setattr(hub, "SESSION_INTERVAL", 0.1)
    client = await database_sync_to_async(client_of)("leaver")
    async with opened(client.session.session_key) as socket:
        await subscribed(socket)
        await database_sync_to_async(client.logout)()
        assert await socket.closed_with() == Close.NOT_LOGGED_IN


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "another"}])
async def test_who_may_not_log_in_any_more_is_closed(session, monkeypatch, change):
    monkeypatch.setattr(hub, "SESSION_INTERVAL", 0.1)
    async with opened(session) as socket:
        await database_sync_to_async(get_user_model().objects.filter(username="rea").update)(**change)
        assert await socket.closed_with() == Close.NOT_LOGGED_IN


async def test_a_session_that_merely_changes_stays_connected(client_of, monkeypatch):
    monkeypatch.setattr(hub, "SESSION_INTERVAL", 0.05)
    client = await database_sync_to_async(client_of)("shopper")

    def change():
        session = client.session
        session["basket"] = [1, 2]
        session.save()

    async with opened(client.session.session_key) as socket:
        await database_sync_to_async(change)()
        for _ in range(10):
            await socket.say(type="ping")
            assert await socket.hear() == {"type": "pong"}
            await asyncio.sleep(0.03)


async def test_a_reader_who_takes_nothing_is_dropped(session, names, monkeypatch):
    """As where the other end has stopped reading, and the server's buffer is full."""
    monkeypatch.setattr(hub, "CHECK_INTERVAL", 0.05)
    monkeypatch.setattr(consumers, "STALLED", 0.1)
    monkeypatch.setattr(consumers, "CLOSE_TIMEOUT", 0.1)
    sent: list[str] = []
    stuck = asyncio.Event()
    messages: asyncio.Queue[dict] = asyncio.Queue()
    messages.put_nowait({"type": "websocket.connect"})
    messages.put_nowait({"type": "websocket.receive", "text": '{"type":"subscribe","id":"1","kind":"news"}'})

    async def send(message):
        sent.append(message.get("text", message["type"]))
        if len(sent) > 2:
            stuck.set()
            await asyncio.Event().wait()

    scope = {"type": "websocket", "headers": headers_of(session), "scheme": "ws", "server": ("localhost", 8000)}
    serving = asyncio.create_task(consumers.StreamConsumer()(scope, messages.get, send))
    while len(sent) < 2:
        await asyncio.sleep(0.01)
    await append("news:1", n=1)
    await asyncio.wait_for(stuck.wait(), 5)
    await asyncio.wait_for(serving, 5)
    assert '"code":4408' in sent[-1], "a last try, which is not taken either"


async def test_a_path_without_a_socket_says_so():
    socket = Socket(application, "/elsewhere", headers=headers_of())
    assert (await socket.connect())[0]
    assert await socket.closed_with() == Close.NO_SUCH_PATH
    await socket.wait()


async def test_a_rule_that_fails_costs_its_subscription_alone(session, names, monkeypatch):
    def fail(requests):
        raise ArithmeticError("a fault in the program")

    monkeypatch.setitem(subscriptions._rules, "broken", fail)
    async with opened(session) as socket:
        await socket.say(type="subscribe", id="2", kind="broken")
        error = await socket.hear()
        assert (error["type"], error["id"], error["code"]) == ("error", "2", "failed")
        await subscribed(socket)


async def test_a_signal_reaches_the_readers(session, names, monkeypatch):
    monkeypatch.setitem(
        signals._rules, ("news", "typing"), lambda user, arg: [("news:1", {"type": "t"})] if user else None
    )
    async with opened(session) as socket, opened(None) as stranger:
        await subscribed(stranger)
        await socket.say(type="signal", kind="news", name="typing")
        assert (await stranger.hear())["events"] == [{"type": "t"}]
        await stranger.say(type="signal", kind="news", name="typing")
        assert (await stranger.hear())["code"] == "denied"


@pytest.fixture
def issuers(monkeypatch) -> set[str]:
    """Those who may give tokens."""
    valid = {"key:1"}
    monkeypatch.setattr(access, "_checks", [valid.intersection])
    return valid


@pytest.fixture
def rea(transactional_db) -> int:
    return get_user_model().objects.create(username="rea").pk


async def test_a_token_lets_in_and_is_renewed_over_the_same_socket(rea, names, issuers, monkeypatch):
    monkeypatch.setattr(hub, "SESSION_INTERVAL", 0.1)
    asked: list[Request] = []
    rule = subscriptions._rules["news"]
    monkeypatch.setitem(subscriptions._rules, "news", lambda requests: asked.extend(requests) or rule(requests))
    async with opened(None) as socket:
        first = access.make_token(user=rea, issuer="key:1", lifetime=60)
        await socket.say(type="authenticate", token=first)
        answer = await socket.hear()
        assert answer["type"] == "authenticated"
        assert 50 < answer["expires_in"] <= 60
        await subscribed(socket)
        assert asked == [Request(rea)]
        await socket.say(type="authenticate", token=access.make_token(user=rea, issuer="key:1", lifetime=600))
        assert (await socket.hear())["expires_in"] > 500
        later = time.time() + 300
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: later)
            await asyncio.sleep(0.5)
        await append("news:1", n=1)
        assert (await socket.hear())["events"] == [{"type": "test", "n": 1}]
        issuers.clear()
        assert await socket.closed_with() == Close.NOT_LOGGED_IN


@pytest.mark.parametrize("token", ["nonsense", "another's", "expired"])
async def test_a_token_that_does_not_hold_closes_the_socket(rea, names, issuers, token):
    async with opened(None) as socket:
        await socket.say(type="authenticate", token=access.make_token(user=rea, issuer="key:1"))
        await socket.hear()
        if token == "another's":
            other = await database_sync_to_async(get_user_model().objects.create)(username="other")
            token = access.make_token(user=other.pk, issuer="key:1")
        elif token == "expired":
            token = signing.dumps({"u": rea, "i": "key:1", "e": 1}, salt="realtime.access")
        await socket.say(type="authenticate", token=token)
        assert await socket.closed_with() == Close.NOT_LOGGED_IN


async def test_a_token_in_the_handshake_needs_no_origin(rea, names, issuers):
    bearer = (b"authorization", b"Bearer " + access.make_token(user=rea, issuer="key:1").encode())
    socket = Socket(application, "/realtime/ws", headers=[*headers_of(origin=None), bearer])
    await socket.connect()
    await subscribed(socket)
    await socket.disconnect()


async def test_an_address_has_a_bounded_number_of_connections(transactional_db, settings):
    settings.REALTIME_CONNECTIONS_PER_ADDRESS = 1
    async with opened(None) as first:
        await first.say(type="ping")
        await first.hear()
        async with opened(None) as second:
            assert await second.closed_with() == Close.TOO_MANY


async def test_an_address_opens_connections_at_a_bounded_rate(transactional_db, settings, monkeypatch):
    settings.REALTIME_NEW_CONNECTIONS_PER_SECOND = 0.01
    monkeypatch.setattr(limits, "BURST_SECONDS", 300)
    async with opened(None) as first:
        await first.say(type="ping")
        await first.hear()
        for _ in range(2):
            async with opened(None):
                pass
        async with opened(None) as one_more:
            assert await one_more.closed_with() == Close.TOO_MANY


async def test_a_server_that_stops_sends_everybody_away_at_times_of_their_own(session, names, monkeypatch):
    monkeypatch.setattr(hub.Hub, "_draining", {})
    async with opened(session) as first, opened(session) as second:
        await subscribed(first)
        await subscribed(second)
        draining = asyncio.create_task(hub.Hub.drain())
        goodbyes = [await first.hear(), await second.hear()]
        assert {one["code"] for one in goodbyes} == {Close.RESTARTING}
        assert len({one["retry_in"] for one in goodbyes}) == 2
        await draining
    async with opened(session) as late:
        assert await late.closed_with() == Close.RESTARTING


@pytest.fixture
def leaving(monkeypatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Connections that end: the first event says that one is about to, and goes on with the second."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    stop = connection.Connection._stop

    async def slowly(self) -> None:
        begun.set()
        await go_on.wait()
        await stop(self)

    monkeypatch.setattr(connection.Connection, "_stop", slowly)
    return begun, go_on


async def test_who_is_closed_while_leaving_leaves_nothing_behind(session, names, leaving):
    begun, go_on = leaving
    async with opened(session) as socket:
        await subscribed(socket)
        mine = hub.Hub.of_running_loop()
        await socket.send_input({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait_for(begun.wait(), 5)
        for listener in mine.connections:
            listener.end(Closed(Close.RESTARTING, "This server restarts."))
        go_on.set()
    assert not len(mine.connections)
    assert not mine._streams


async def test_who_is_closed_at_the_last_moment_leaves_nothing_behind(session, names, monkeypatch):
    async with opened(session) as socket:
        await subscribed(socket)
        mine = hub.Hub.of_running_loop()

        async def go(self, event):
            self.end(Closed(Close.TOO_SLOW, "Too many answers wait to be taken."))
            raise Closed(Close.TOO_MANY, "Too many messages.")

        monkeypatch.setattr(consumers.SocketConnection, "_handle", go)
        await socket.say(type="ping")
        assert await socket.closed_with() in (Close.TOO_SLOW, Close.TOO_MANY)
    assert not len(mine.connections)
    assert not mine._streams


async def test_the_last_one_is_told_too_before_a_server_stops(session, names, monkeypatch):
    monkeypatch.setattr(hub.Hub, "_draining", {})
    close = hub.Hub._close

    async def slowly(self) -> None:
        await asyncio.sleep(0.1)
        await close(self)

    monkeypatch.setattr(hub.Hub, "_close", slowly)
    async with opened(session) as socket:
        await subscribed(socket)
        await hub.Hub.drain()
        assert not socket.output_queue.empty(), "what is not said by now is never said"
        assert await socket.closed_with() == Close.RESTARTING


async def test_a_connection_that_has_gone_renews_nothing(session, names):
    async with opened(session) as socket:
        await subscribed(socket)
        mine = hub.Hub.of_running_loop()
        ((reader, listener),) = mine._streams["news:1"].readers.items()
    names.append("news:3")
    reader.renewal = ""
    listener.has_news(reader)
    assert not listener._jobs


async def test_who_has_just_come_is_looked_at_the_next_time(session, names, monkeypatch):
    """Or somebody who logs out at once would stay for nearly two intervals."""
    monkeypatch.setattr(hub, "SESSION_INTERVAL", 0.5)
    looks: list[int] = []
    monkeypatch.setattr(visitors, "find_departed", lambda shown: looks.append(len(shown)) or [])
    async with opened(session) as first:
        await subscribed(first)
        while not looks:
            await asyncio.sleep(0.01)
        async with opened(session) as second:
            await subscribed(second)
            before = len(looks)
            while len(looks) == before:
                await asyncio.sleep(0.01)
            assert looks[before] == 2


async def test_a_hub_that_is_overloaded_for_a_moment_goes_on(session, names, monkeypatch):
    monkeypatch.setattr(hub, "RETRY", 0.01)
    async with opened(session) as socket:
        await subscribed(socket)
        read, faults = hub.Hub._read, [Overloaded()]

        async def overloaded_once(self, wanted):
            if faults:
                raise faults.pop()
            return await read(self, wanted)

        monkeypatch.setattr(hub.Hub, "_read", overloaded_once)
        await append("news:1", n=1)
        assert (await socket.hear())["events"] == [{"type": "test", "n": 1}]


async def test_who_joins_finds_out_for_all_that_a_stream_was_lost(session, names, monkeypatch, valkey):
    monkeypatch.setattr(hub, "CHECK_INTERVAL", 60.0)
    names.remove("news:2")
    async with opened(session) as first, opened(session) as second:
        await subscribed(first)
        await sync_to_async(valkey.flushdb)()
        position = await subscribed(second)
        resync = await first.hear()
        assert (resync["type"], resync["position"]) == ("resync", position)
        await append("news:1", n=1)
        for socket in (first, second):
            assert (await socket.hear())["events"] == [{"type": "test", "n": 1}], "the second one had lost nothing"


async def test_a_stream_that_went_back_holds_up_nobody_who_joins(session, names, monkeypatch, valkey):
    """As after a failover to a copy of Valkey that lacks the last events."""
    monkeypatch.setattr(hub, "CHECK_INTERVAL", 60.0)
    names.remove("news:2")
    key = STREAM.key(name="news:1")
    async with opened(session) as first, opened(session) as second:
        await subscribed(first)
        await append("news:1", n=1)
        await first.hear()
        (last,) = await sync_to_async(valkey.xrevrange)(key, count=1)
        await sync_to_async(valkey.delete)(key)
        await sync_to_async(valkey.xadd)(key, {"o": ""}, id=last[0].replace(b"-1", b"-0"))
        await subscribed(second)
        assert (await first.hear())["type"] == "resync"


async def test_who_is_closed_at_the_moment_of_being_let_in_is_closed(session, monkeypatch):
    never = asyncio.Event()

    async def group_add(*_) -> None:
        await never.wait()

    monkeypatch.setattr(get_channel_layer(), "group_add", group_add)
    async with opened(session) as socket:
        while not len((mine := hub.Hub.of_running_loop()).connections):
            await asyncio.sleep(0.01)
        mine._joined.set()
        await asyncio.sleep(0)
        for listener in mine.connections:
            listener.end(Closed(Close.RESTARTING, "This server restarts."))
        assert await socket.closed_with() == Close.RESTARTING


async def test_a_socket_that_cannot_be_sent_to_takes_no_other_with_it(session, names, monkeypatch):
    """As where the server is closing it already, and its client has not noticed."""

    async def closing(message):
        raise RuntimeError("Unexpected ASGI message 'websocket.send', after sending 'websocket.close'.")

    async with opened(session) as first, opened(session) as second:
        await subscribed(first)
        await subscribed(second)
        broken = next(iter(hub.Hub.of_running_loop().connections))
        monkeypatch.setattr(broken, "_send", closing)
        await append("news:1", n=1)
        heard = [socket for socket in (first, second) if not await socket.receive_nothing(1)]
        assert len(heard) == 1
        assert (await heard[0].hear())["events"] == [{"type": "test", "n": 1}]


async def test_what_goes_wrong_with_one_reader_is_no_others_matter(session, names, monkeypatch):
    take = consumers.Connection.has_news

    def fault(self, subscription):
        if subscription.identifier == "broken":
            raise AssertionError("a fault in the program")
        take(self, subscription)

    async with opened(session) as first, opened(session) as second:
        await subscribed(first, identifier="broken")
        await subscribed(second)
        monkeypatch.setattr(consumers.Connection, "has_news", fault)
        await append("news:1", n=1)
        assert (await second.hear())["events"] == [{"type": "test", "n": 1}]
        assert await first.closed_with() == Close.TRY_LATER


async def test_a_socket_that_wants_nothing_is_closed_after_a_while(session, names, monkeypatch):
    monkeypatch.setattr(hub, "CHECK_INTERVAL", 0.05)
    monkeypatch.setattr(consumers, "IDLE", 0.3)
    async with opened(session) as idle, opened(session) as busy:
        await subscribed(busy)
        assert await idle.closed_with() == Close.TOO_SLOW
        await append("news:1", n=1)
        assert (await busy.hear())["events"] == [{"type": "test", "n": 1}]


async def test_a_resync_is_not_lost_with_the_connection(session, names):
    """Between the answer and the resync: the position of the answer must not count as one that was caught up to."""
    async with opened(session) as socket:
        position = await subscribed(socket, "unknown")
    async with opened(session) as socket:
        await subscribed(socket, position)
        assert (await socket.hear())["type"] == "resync"


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.7", 1), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("::ffff:192.0.2.7", 1), "192.0.2.7"),
        (("", 0), ""),
        (None, "unknown"),
    ],
)
def test_an_address_of_ipv6_is_its_network(client, address):
    assert address_of({"client": client}) == address


@pytest.mark.parametrize("place", ["before the streams are read", "after they are read"])
async def test_what_is_published_while_the_first_reader_joins_arrives_at_once(session, names, monkeypatch, place):
    """No check comes to its help."""
    monkeypatch.setattr(hub, "CHECK_INTERVAL", 60.0)
    names.remove("news:2")
    position = await sync_to_async(streams.positions)(names)
    read_all, places = hub.Hub._read_all, [place]

    async def published_meanwhile(self, questions):
        now = places.pop() if places else None
        if now == "before the streams are read":
            await append("news:1", n=1)
        found = await read_all(self, questions)
        if now == "after they are read":
            await append("news:1", n=1)
            while not self._reads._waiting:  # the hub was woken, and wants to read what nobody is ready for
                await asyncio.sleep(0.01)
        return found

    monkeypatch.setattr(hub.Hub, "_read_all", published_meanwhile)
    async with opened(session) as socket:
        await subscribed(socket, position)
        assert (await socket.hear())["events"] == [{"type": "test", "n": 1}]
