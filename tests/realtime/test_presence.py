from __future__ import annotations

import asyncio

import pytest
import redis
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async

from realtime import attendance, presence, streams, subscriptions
from realtime.keys import ONLINE
from realtime.subscriptions import Filter, Grant
from realtime.visitors import Credentials, find_visitors
from tests.realtime.conftest import opened


@pytest.fixture
def shown(monkeypatch) -> set[int]:
    """Users who let others see when they are online: everybody, except those in this set."""
    hidden: set[int] = set()
    monkeypatch.setattr(presence, "_visibility", [lambda users: set(users) - hidden])
    monkeypatch.setattr(attendance, "HEARTBEAT", 0.2)
    monkeypatch.setattr(attendance, "ARRIVALS", 0.01)
    return hidden


@pytest.fixture
def watching(monkeypatch) -> None:
    rule = lambda requests: [Grant([presence.PRESENCE_STREAM]) for _ in requests]  # noqa: E731
    monkeypatch.setitem(subscriptions._rules, "presence", rule)


async def user_of(session: str) -> int:
    (visitor,) = await database_sync_to_async(find_visitors)([Credentials(session)])
    return visitor.user_id


async def until(users: set[int], *, of: set[int]) -> None:
    async with asyncio.timeout(10):
        while await sync_to_async(presence.online_among)(sorted(of)) != users:
            await asyncio.sleep(0.02)


async def expire(valkey: redis.Redis, user: int) -> None:
    """As if it had been long since this user was seen."""
    await sync_to_async(valkey.zadd)(ONLINE.key(), {str(user): 1})


async def watched(socket) -> None:
    await socket.say(type="subscribe", id="1", kind="presence")
    assert (await socket.hear())["type"] == "subscribed"


async def hears(socket, user: int, *, online: bool) -> list[int]:
    """Wait for this change; return of whom else was spoken before."""
    others: list[int] = []
    while True:
        for event in (await socket.hear())["events"]:
            if (event["user"], event["online"]) == (user, online):
                return others
            others.append(event["user"])


async def test_who_connects_is_online_and_is_told(client_of, shown, watching, valkey):
    sessions = [(await database_sync_to_async(client_of)(name)).session.session_key for name in ("ann", "bob")]
    ann, bob = [await user_of(session) for session in sessions]
    async with opened(sessions[0]) as socket:
        await until({ann}, of={ann, bob})
        await watched(socket)
        async with opened(sessions[1]):
            await hears(socket, bob, online=True)
            await until({ann, bob}, of={ann, bob})
        await expire(valkey, bob)
        await hears(socket, bob, online=False)
        await until({ann}, of={ann, bob})


async def test_coming_back_soon_is_no_absence(client_of, shown, watching):
    sessions = [(await database_sync_to_async(client_of)(name)).session.session_key for name in ("ann", "bob", "cleo")]
    bob, cleo = [await user_of(session) for session in sessions[1:]]
    async with opened(sessions[0]) as socket:
        await watched(socket)
        async with opened(sessions[1]):
            await hears(socket, bob, online=True)
        for _ in range(3):
            async with opened(sessions[1]):
                await asyncio.sleep(0.3)
        async with opened(sessions[2]):
            assert bob not in await hears(socket, cleo, online=True)


async def test_who_hides_is_not_shown(session, client_of, shown, watching):
    other = (await database_sync_to_async(client_of)("bob")).session.session_key
    user, bob = await user_of(session), await user_of(other)
    shown.add(user)
    async with opened(session) as socket, opened(other):
        await until({bob}, of={user, bob})
        await watched(socket)
        shown.add(bob)
        await hears(socket, bob, online=False)  # without having left
        shown.discard(bob)
        assert user not in await hears(socket, bob, online=True)


@pytest.mark.usefixtures("valkey")
def test_forgetting_tells_of_those_who_were_shown(valkey):
    valkey.eval(*presence.beat_arguments([1, 2]))
    token = streams.positions([presence.PRESENCE_STREAM])
    presence.do_forget([2, 3])
    assert presence.online_among([1, 2, 3]) == {1}
    assert streams.read([presence.PRESENCE_STREAM], token).events == [
        {"type": "presence", "user": 2, "key": 2, "online": False}
    ]


def test_who_was_forgotten_without_its_being_told_is_told_by_the_next_beat(valkey, monkeypatch):
    valkey.eval(*presence.beat_arguments([1, 2]))
    monkeypatch.setattr(streams, "append", _fail)
    with pytest.raises(redis.ConnectionError):
        presence.do_forget([2])
    assert presence.online_among([1, 2]) == {1}
    assert presence.beat_answer(valkey.eval(*presence.beat_arguments([1]))) == (set(), {2})


async def test_a_change_that_could_not_be_told_is_told_later(client_of, shown, watching, valkey, monkeypatch):
    sessions = [(await database_sync_to_async(client_of)(name)).session.session_key for name in ("ann", "bob")]
    bob = await user_of(sessions[1])
    tell, failures = attendance._tell, []

    def fail_once(changes, hidden) -> None:
        if bob in changes and not failures:
            failures.append(bob)
            _fail()
        tell(changes, hidden)

    monkeypatch.setattr(attendance, "_tell", fail_once)
    async with opened(sessions[0]) as socket:
        await watched(socket)
        async with opened(sessions[1]):
            await hears(socket, bob, online=True)
    assert failures == [bob]


def _fail(*_: object) -> None:
    raise redis.ConnectionError("away")


@pytest.mark.usefixtures("valkey")
def test_what_is_kept_has_a_bound(valkey, monkeypatch):
    monkeypatch.setattr(presence, "MOST_ONLINE", 3)
    for user in range(6):
        valkey.eval(*presence.beat_arguments([user]))
    assert valkey.zcard(ONLINE.key()) == 3


def test_nobody_is_shown_where_nobody_says_so(monkeypatch):
    monkeypatch.setattr(presence, "_visibility", [])
    assert presence.visible_among([1, 2]) == set()


async def test_a_filter_passes_what_is_for_this_reader(session, names, monkeypatch):
    wanted = {1, 2}

    def rule(requests):
        return [Grant(["news:1"], {"news:1": Filter("user", frozenset(wanted))}) for _ in requests]

    monkeypatch.setitem(subscriptions._rules, "some", rule)
    async with opened(session) as socket:
        await socket.say(type="subscribe", id="1", kind="some")
        position = (await socket.hear())["position"]
        for user in (3, 1, 4):
            await sync_to_async(streams.append)([("news:1", {"type": "t", "user": user})])
        await sync_to_async(streams.append)([("news:1", {"type": "for all"})])
        heard = []
        while len(heard) < 2:
            heard += (frame := await socket.hear())["events"]
        assert heard == [{"type": "t", "user": 1}, {"type": "for all"}]
        assert frame["position"] != position
        wanted.add(3)
        await sync_to_async(streams.append)([("news:1", {"type": "resubscribe"})])
        assert (await socket.hear())["type"] == "resync", "the data for another filter are other data"
        await sync_to_async(streams.append)([("news:1", {"type": "t", "user": 3})])
        assert (await socket.hear())["events"] == [{"type": "t", "user": 3}]


@pytest.mark.parametrize(("inside", "passed"), [(True, [True, False, True]), (False, [False, True, True])])
def test_filters_pass_what_is_inside_or_outside(inside, passed):
    filter_ = Filter("user", frozenset({1}), inside)
    assert [filter_.passes(event) for event in ({"user": 1}, {"user": 2}, {})] == passed


async def test_where_somebody_always_arrives_the_others_stay_online(monkeypatch):
    monkeypatch.setattr(attendance, "HEARTBEAT", 0.05)
    monkeypatch.setattr(attendance, "ARRIVALS", 0.01)
    said: asyncio.Queue[set[int]] = asyncio.Queue()

    async def say(self, users) -> None:
        said.put_nowait(set(users))
        self.arrived(1)

    monkeypatch.setattr(attendance.Attendance, "_say", say)
    keeper = attendance.Attendance(None, lambda: [1, 2])
    keeper.arrived(1)
    keeping = asyncio.create_task(keeper.keep())
    async with asyncio.timeout(5):
        while 2 not in await said.get():
            pass
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
