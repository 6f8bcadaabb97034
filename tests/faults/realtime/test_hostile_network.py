"""Over a network that loses whatever it may, what each client holds is what was written, or it was told to resync."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator

import pytest
from django.test import Client as Browser

from realtime import wake
from tests.faults.realtime.chaos import Chaos, StreamChaos
from tests.faults.realtime.followers import Follower, cookie_of, following, settle, settle_positions
from tests.faults.realtime.network import SERVERS, Network
from tests.faults.realtime.numbers import Writer
from tests.realtime.client import EventSourceClient, LongPollClient, PollClient, SocketClient

NAMES = ["a", "b", "c", "d", "e", "f"]
CROWD = [SocketClient] * 4 + [EventSourceClient] * 4 + [LongPollClient] * 3 + [PollClient] * 2


@pytest.fixture
def writer(network: Network, rng: random.Random, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    """Writes 25 numbers a second; of its wake-ups a third are lost and a third come twice."""
    writer = Writer(NAMES, rng, pace=0.04)
    writer.lost = writer.doubled = 1 / 3
    monkeypatch.setattr(wake, "publish", writer.publish)
    writer.start()
    yield writer
    writer.finish()


@pytest.fixture
def followers(network: Network, writer: Writer, rng: random.Random, log_in: Callable[[str], Browser]) -> list[Follower]:
    """Clients of all transports, each with two subscriptions that share a stream."""
    cookies = [cookie_of(log_in(name)) for name in ("ana", "ben")]

    def address() -> str:
        return network.address(rng.choice(SERVERS))

    def follower(number: int, make: type) -> Follower:
        names = rng.sample(NAMES, 4)
        return Follower(make, address, cookies[number % 2], writer, [names[:3], names[2:]], rng)

    return [follower(number, make) for number, make in enumerate(CROWD)]


async def test_where_only_servers_are_lost_everything_arrives_once_and_nobody_reloads(network, writer, followers, rng):
    async with following(followers):
        chaos = Chaos(network, rng)
        await chaos.reign([chaos.kill_a_server, chaos.stop_a_server, chaos.freeze_a_server])
        writer.finish()
        await settle(followers)
    for follower in followers:
        assert follower.client.resyncs == 0, follower
        for copy in follower.copies:
            assert copy.loads == 1
            assert copy.repeats <= copy.overlap + 3 * follower.client.connects, follower
    sockets = [follower.client for follower in followers if follower.client.transport in ("websocket", "sse")]
    assert sum(client.connects for client in sockets) > len(sockets), "nobody was disturbed"


async def test_where_streams_are_lost_too_everybody_has_everything_or_reloads(network, writer, followers, rng):
    async with following(followers):
        chaos = StreamChaos(network, rng, writer, followers)
        await chaos.reign(
            [
                chaos.kill_a_server, chaos.freeze_a_server, chaos.kill_valkey, chaos.flush,
                chaos.delete_a_stream, chaos.trim_a_stream, chaos.stop_a_reader,
            ]
        )  # fmt: skip
        writer.finish()
        await settle(followers)
        await settle_positions(followers)
        for follower in followers:
            assert follower.client.resyncs <= 2 * chaos.lost, follower
        # It is quiet now: from here on nobody has a reason to reload.
        before = [follower.client.resyncs for follower in followers]
        for name in NAMES:
            await asyncio.to_thread(writer.write, name, count=3)
        await settle(followers)
        assert [follower.client.resyncs for follower in followers] == before
