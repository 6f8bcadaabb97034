"""Two socket servers are restarted one after the other under load: nobody misses anything, and nobody reloads."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import pytest
from django.test import Client as Browser

from tests.faults.realtime.followers import Follower, cookie_of, following, settle, until
from tests.faults.realtime.network import Network
from tests.faults.realtime.numbers import Writer
from tests.realtime.client import EventSourceClient, Goodbye, LongPollClient, PollClient, SocketClient

NAMES = ["a", "b", "c"]
CROWD = [SocketClient] * 24 + [EventSourceClient] * 16 + [LongPollClient] * 8 + [PollClient] * 4
IN_TIME = 10.0  # seconds in which a server has stopped


@pytest.fixture
def writer(network: Network, rng: random.Random) -> Iterator[Writer]:
    writer = Writer(NAMES, rng, pace=0.05)
    writer.start()
    yield writer
    writer.finish()


class Guest(Follower):
    """A follower that knows where it is."""

    at = ""

    @property
    def stays(self) -> bool:
        """Whether it has one connection, and not one for each answer."""
        return isinstance(self.client, SocketClient | EventSourceClient)


@pytest.fixture
def guests(network: Network, writer: Writer, rng: random.Random, log_in: Callable[[str], Browser]) -> list[Guest]:
    cookies = [cookie_of(log_in(name)) for name in ("ana", "ben", "cleo", "dan")]

    def guest(number: int, make: type) -> Guest:
        def address() -> str:
            made.at = rng.choice(["left", "right"])
            return network.address(made.at)

        made = Guest(make, address, cookies[number % len(cookies)], writer, [rng.sample(NAMES, 2)], rng)
        return made

    return [guest(number, make) for number, make in enumerate(CROWD)]


async def restart(network: Network, name: str) -> None:
    """Let a server stop as it does for an update, and start it again."""
    process = network.running[name]
    process.terminate()
    await until(lambda: process.poll() is not None, f"{name} has stopped", timeout=IN_TIME)
    assert process.returncode == 0
    network.start(name)
    await until(lambda: network.answers(name), f"{name} answers again")


async def test_a_rolling_restart_loses_nothing_and_makes_nobody_reload(network, writer, guests):
    async with following(guests):
        for name in ("left", "right"):
            await until(lambda: all(guest.client.standing for guest in guests if guest.stays), "everybody is back")
            staying = [guest for guest in guests if guest.at == name]
            before = {guest: len(guest.client.goodbyes) for guest in staying}
            await restart(network, name)
            said = {guest: guest.client.goodbyes[before[guest] :] for guest in staying}
            assert_sent_away(said)
        writer.finish()
        await settle(guests)
    for guest in guests:
        assert guest.client.resyncs == 0, guest
        for copy in guest.copies:
            assert copy.loads == 1
            assert copy.repeats <= copy.overlap + guest.client.connects, guest


def assert_sent_away(said: dict[Guest, Sequence[Goodbye]]) -> None:
    """Each open connection got one goodbye, with a time to come back at; the times are spread."""
    times = []
    for guest, goodbyes in said.items():
        codes = [goodbye.code for goodbye in goodbyes]
        if guest.stays:
            assert codes == [1012], guest
            times.append(goodbyes[0].retry_in or 0.0)
        else:
            # Between two polls there is nobody to say it to; the next one may find nobody.
            assert set(codes) <= {503}, guest
        assert all(goodbye.retry_in is not None for goodbye in goodbyes), guest
    assert len(times) > 5
    early = [time for time in times if time < max(times) / 10]
    assert len(early) <= len(times) / 4
    assert len(set(times)) == len(times)
