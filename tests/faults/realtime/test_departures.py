"""Whoever may not be here any more is closed within five seconds, whatever carries it, and told nothing after that."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest
from channels.db import database_sync_to_async
from django.core import signing
from django.test import Client as Browser
from websockets.exceptions import ConnectionClosed

from realtime.access import make_token
from realtime.keys import PRESENCE
from realtime.valkey import get_client
from recsys.accounts.models import User
from recsys.partners.actions import do_create_client, do_create_key, do_revoke_key
from recsys.partners.models import ApiKey
from tests.faults.realtime.followers import Follower, Headers, cookie_of, following, settle, until
from tests.faults.realtime.network import SERVERS, Network
from tests.faults.realtime.numbers import Writer
from tests.faults.realtime.offers import stream
from tests.realtime.client import EventSourceClient, Goodbye, LongPollClient, Message, PollClient, SocketClient

LATEST = 6.0  # seconds; five are promised, and the machine may be slow
HOLDS = 5.0  # seconds: long enough for everybody to connect

pytestmark = pytest.mark.usefixtures("network")


@dataclass
class Departure:
    """Somebody whom these headers let in until `leave` is called, or the time is `at`."""

    headers: Mapping[str, str]
    leave: Callable[[], object] = lambda: None
    at: float = 0.0


@pytest.fixture
def writer(network: Network, rng: random.Random) -> Iterator[Writer]:
    writer = Writer(["busy"], rng, pace=0.05)
    writer.start()
    yield writer
    writer.finish()


@pytest.fixture
def key(transactional_db: None) -> ApiKey:
    """One that is not revoked."""
    return do_create_key(client=do_create_client(name="A shop"), scopes=["read"]).key


def departures(log_in: Callable[[str], Browser], key: ApiKey) -> dict[str, Departure]:
    """Somebody for each way to go."""
    users = {name: log_in(name) for name in ("log-out", "password", "ban", "key", "client", "expiry")}
    ids = dict(User.objects.values_list("username", "pk"))
    revoked, shop = (
        do_create_key(client=do_create_client(name=name), scopes=["read"]).key for name in ("One shop", "Another shop")
    )
    expires_at = time.time() + HOLDS

    def change(name: str, **values: object) -> Callable[[], object]:
        return lambda: User.objects.filter(username=name).update(**values)

    def switch_off() -> None:
        shop.client.is_active = False
        shop.client.save()

    return {
        "log-out": Departure(cookie_of(users["log-out"]), users["log-out"].logout),
        "password": Departure(cookie_of(users["password"]), change("password", password="another")),
        "ban": Departure(cookie_of(users["ban"]), change("ban", is_active=False)),
        "key": Departure(by_token(ids["key"], revoked), lambda: do_revoke_key(key=revoked)),
        "client": Departure(by_token(ids["client"], shop), switch_off),
        "expiry": Departure(bearer(token_until(ids["expiry"], key, expires_at)), at=expires_at),
    }


def bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}


def by_token(user: int, key: ApiKey) -> Mapping[str, str]:
    return bearer(make_token(user=user, issuer=f"key:{key.pk}"))


def token_until(user: int, key: ApiKey, expires_at: float) -> str:
    """A token that holds for less than any that is given to somebody."""
    return signing.dumps({"u": user, "i": f"key:{key.pk}", "e": expires_at}, salt="realtime.access")


async def until_read(name: str) -> None:
    """Wait until a server reads this stream for somebody."""
    await until(lambda: get_client().exists(PRESENCE.key(name=stream(name))), f"somebody waits for {name}")


class Attentive(SocketClient):
    """Listens on after a goodbye."""

    async def _take(self, message: Message) -> None:
        try:
            await super()._take(message)
        except Goodbye:
            assert self.socket is not None
            with contextlib.suppress(ConnectionClosed):
                pytest.fail(f"after the goodbye came {await self.socket.recv()!r}")
            raise


TRANSPORTS = (Attentive, EventSourceClient, LongPollClient, PollClient)


async def ended(follower: Follower) -> tuple[Goodbye, float]:
    """Follow until that is over: the goodbye, and when it came."""
    follower.client.subscriptions["1"].position = await follower.copies[0].load()
    return await follower.client.follow(), time.time()


async def test_whoever_may_not_be_here_any_more_is_closed_and_whoever_may_stays(network, writer, rng, log_in, key):
    def follower(make: type, headers: Headers, name: str = "busy") -> Follower:
        return Follower(make, lambda: network.address(rng.choice(SERVERS)), headers, writer, [[name]], rng)

    def briefly() -> Mapping[str, str]:
        return bearer(token_until(renewer, key, time.time() + HOLDS))

    stays = cookie_of(await database_sync_to_async(log_in)("stays"))
    renewer = (await database_sync_to_async(User.objects.create)(username="renews")).pk
    staying = [follower(make, stays) for make in TRANSPORTS]
    renewing = [follower(make, briefly) for make in TRANSPORTS]
    async with following([*staying, *renewing]):
        await renewing[0].client.say(type="authenticate", token=make_token(user=renewer, issuer=f"key:{key.pk}"))
        going = await database_sync_to_async(departures)(log_in, key)
        leaving = {(reason, make): follower(make, one.headers) for reason, one in going.items() for make in TRANSPORTS}
        # Those are asked again and again, as there is always something to answer.
        waiting = {
            (reason, None): follower(LongPollClient, one.headers, f"quiet-{reason}") for reason, one in going.items()
        }
        ends = {who: asyncio.create_task(ended(follower)) for who, follower in (leaving | waiting).items()}
        await until(lambda: all(one.stands for one in leaving.values()), "everybody is here")
        for reason in going:
            await until_read(f"quiet-{reason}")
        for departure in going.values():
            await database_sync_to_async(departure.leave)()
            departure.at = departure.at or time.time()
        async with asyncio.timeout(HOLDS + 3 * LATEST):
            await asyncio.gather(*ends.values())
        await until(lambda: time.time() > going["expiry"].at + LATEST, "other tokens have expired too")
        writer.finish()
        await settle([*staying, *renewing])
    for (reason, make), end in ends.items():
        goodbye, at = end.result()
        gone, left = (leaving | waiting)[reason, make], going[reason].at
        assert goodbye.code == (4401 if make in (Attentive, EventSourceClient) else 401), (reason, make)
        if make is PollClient:  # which comes every five seconds
            assert gone.copies[0].heard_at < left + 1.0
        else:
            assert at - left < LATEST, (reason, make)
    assert_renewed(staying, in_band=2, again=0)
    assert_renewed(renewing, in_band=1, again=1)


def assert_renewed(followers: Sequence[Follower], *, in_band: int, again: int) -> None:
    """So many of those that stay connected still have their first connection, and so many were sent away and are back.

    None was made to reload.
    """
    assert not any(follower.client.resyncs for follower in followers)
    sockets = [follower.client for follower in followers if follower.client.transport in ("websocket", "sse")]
    assert [client.connects for client in sockets].count(1) == in_band
    assert sum(bool(client.goodbyes) for client in sockets) == again
    assert all({goodbye.code for goodbye in client.goodbyes} <= {4401} for client in sockets)


async def test_the_token_of_somebody_else_is_refused(network, writer, rng, log_in, key):
    def tokens() -> list[str]:
        users = [User.objects.create(username=name) for name in ("one", "another")]
        return [make_token(user=user.pk, issuer=f"key:{key.pk}") for user in users]

    own, anothers = await database_sync_to_async(tokens)()
    follower = Follower(Attentive, lambda: network.address("right"), bearer(own), writer, [["busy"]], rng)
    end = asyncio.create_task(ended(follower))
    await until(lambda: follower.stands, "the subscription stands")
    await follower.client.say(type="authenticate", token=anothers)
    goodbye, _ = await asyncio.wait_for(end, LATEST)
    assert goodbye.code == 4401
