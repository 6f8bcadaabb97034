"""The clients of the bench `reconnect` notice what they are there to notice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from feeds.bench import comeback
from feeds.bench.comeback import Crowd, ReturningClient

Script = Callable[[ServerConnection, dict], Awaitable[None]]


@asynccontextmanager
async def client_of(*scripts: Script):
    """A client and its crowd; the server plays one script a connection, given what the client subscribes to."""
    left = list(scripts)

    async def play(connection: ServerConnection) -> None:
        await left.pop(0)(connection, json.loads(await connection.recv()))

    async with serve(play, "127.0.0.1", 0, compression=None) as server:
        crowd = Crowd(server.sockets[0].getsockname()[1])
        client = ReturningClient(crowd, "a=b")
        client.leave()
        running = asyncio.create_task(client.run(0))
        yield client, crowd
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def script(*messages: dict, stay: bool = True) -> Script:
    async def play(connection: ServerConnection, subscription: dict) -> None:
        for message in messages:
            await connection.send(json.dumps(message))
        if stay:
            await connection.wait_closed()

    return play


def events(*numbers: int, position: str = "p") -> dict:
    return {"type": "events", "id": "1", "events": [{"type": "bench", "n": n} for n in numbers], "position": position}


SUBSCRIBED = {"type": "subscribed", "id": "1", "position": "p0"}


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("numbers", "missed", "repeated"), [((1, 2, 3), 0, 0), ((1, 3), 1, 0), ((1, 5), 3, 0), ((1, 2, 2, 1, 3), 0, 2)]
)
async def test_holes_and_repetitions_are_counted(numbers, missed, repeated):
    async with client_of(script(SUBSCRIBED, events(*numbers))) as (client, crowd):
        await until(lambda: client.last == numbers[-1])
        assert (crowd.missed, crowd.repeated, crowd.resyncs) == (missed, repeated, 0)


async def test_after_a_resync_any_number_may_come():
    async with client_of(script(SUBSCRIBED, {"type": "resync", "id": "1"}, events(7, 8))) as (client, crowd):
        await until(lambda: client.last == 8)
        assert (crowd.missed, crowd.repeated, crowd.resyncs) == (0, 0, 1)


async def test_it_comes_back_from_its_position():
    asked = []

    async def again(connection: ServerConnection, subscription: dict) -> None:
        asked.append(subscription)
        await script(SUBSCRIBED, events(2))(connection, subscription)

    first = script(SUBSCRIBED, events(1, position="here"), stay=False)
    async with client_of(first, again) as (client, crowd):
        await until(lambda: client.last == 2)
    assert asked == [{"type": "subscribe", "id": "1", "kind": "timeline", "position": "here"}]
    assert crowd.attempts == 2


async def test_it_is_back_with_what_was_there_when_it_was_subscribed():
    go_on = asyncio.Event()

    async def slowly(connection: ServerConnection, subscription: dict) -> None:
        await connection.send(json.dumps(SUBSCRIBED))
        await connection.send(json.dumps(events(1)))
        await go_on.wait()
        await connection.send(json.dumps(events(2)))
        await connection.wait_closed()

    async with client_of(slowly) as (client, crowd):
        crowd.appended = 2
        await until(lambda: client.last == 1)
        assert not crowd.back.is_set()
        go_on.set()
        await asyncio.wait_for(crowd.back.wait(), 10)
        assert crowd.away == 0
        assert client.seconds_away > 0


async def test_it_comes_back_when_the_server_says(monkeypatch):
    monkeypatch.setattr(comeback, "FIRST_DELAY", 1e6)
    goodbye = {"type": "goodbye", "code": 1012, "message": "", "retry_in": 1}
    async with client_of(script(SUBSCRIBED, goodbye, stay=False), script(SUBSCRIBED, events(1))) as (client, _):
        await until(lambda: client.last == 1)


async def test_a_server_that_is_silent_is_given_up(monkeypatch):
    monkeypatch.setattr(comeback, "ANSWER_WITHIN", 0.05)
    async with client_of(script(), script(SUBSCRIBED, events(1))) as (client, crowd):
        await until(lambda: client.last == 1)
        assert crowd.attempts == 2


async def test_what_the_server_complains_of_is_kept():
    async with client_of(script({"type": "error", "code": "denied"})) as (_, crowd):
        await until(lambda: crowd.complaint)
        assert json.loads(crowd.complaint)["code"] == "denied"
        assert not crowd.back.is_set()
