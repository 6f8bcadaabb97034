"""Clients of all transports that follow numbers, over a network that does not want them to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from django.conf import settings
from django.test import Client as Browser

from realtime import streams, tokens
from tests.faults.realtime.network import ORIGIN
from tests.faults.realtime.numbers import Copy, Writer
from tests.faults.realtime.offers import KIND, stream
from tests.realtime.client import Client, Subscription

SETTLED = 45.0  # seconds after which everybody has everything: a check, a poll, and a few ways back

Headers = Mapping[str, str] | Callable[[], Mapping[str, str]]  # those that let somebody in; or how to get new ones


def cookie_of(browser: Browser) -> dict[str, str]:
    """The headers of a page of the site, on which this user has logged in."""
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={browser.session.session_key}", "Origin": ORIGIN}


class Following(Protocol):
    """A client with the data that it keeps up to date."""

    client: Client

    async def follow(self) -> None: ...

    @property
    def stands(self) -> bool: ...

    @property
    def is_true(self) -> bool: ...


class Follower:
    """A client with a copy for each of its subscriptions. The first one's data has its position with it."""

    def __init__(
        self,
        make: type[Client],
        address: Callable[[], str],
        headers: Headers,
        writer: Writer,
        subscriptions: Sequence[Sequence[str]],
        rng: random.Random,
    ) -> None:
        self.truth = writer.truth
        self.copies = [Copy(writer, names, rng) for names in subscriptions]
        wanted = [Subscription(KIND, copy.load, copy.apply, arg=",".join(copy.names)) for copy in self.copies]
        renews = callable(headers)
        self.client = make(
            address, wanted, headers if callable(headers) else lambda: headers, longest_delay=2.0, renews=renews
        )
        for copy in self.copies:
            copy.client = self.client

    async def follow(self) -> None:
        self.client.subscriptions["1"].position = await self.copies[0].load()
        goodbye = await self.client.follow()
        raise AssertionError(f"{self.client.transport} was closed for good with {goodbye.code}")

    @property
    def stands(self) -> bool:
        return len(self.client.stood) == len(self.copies)

    @property
    def is_true(self) -> bool:
        """Whether it has all that was written; AssertionError where it was told something in a wrong order."""
        faults = [fault for copy in self.copies for fault in copy.faults]
        assert not faults, "\n".join(faults[:20])
        return all(copy.is_true for copy in self.copies)

    def __str__(self) -> str:
        missing = [{name: self.truth[name] - copy.held[name] for name in copy.names} for copy in self.copies]
        return f"{self.client}; still missing {missing}"


@asynccontextmanager
async def following(followers: Sequence[Following]) -> AsyncIterator[None]:
    """All of them follow during the block, which begins when their subscriptions stand."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(follower.follow()) for follower in followers]
        await until(lambda: all(follower.stands for follower in followers), "all subscriptions stand")
        yield
        for task in tasks:
            task.cancel()


async def settle(followers: Sequence[Following]) -> None:
    """Wait until each holds what was written; AssertionError where one does not, or was refused something."""
    try:
        await until(lambda: all(follower.is_true for follower in followers), "everybody has everything")
    except AssertionError as error:
        wrong = "\n".join(str(follower) for follower in followers if not follower.is_true)
        raise AssertionError(f"{error}\n{wrong}") from None
    assert not [error for follower in followers for error in follower.client.errors]


async def settle_positions(followers: Sequence[Follower]) -> None:
    """Wait until each is at the end of its streams: with nothing more to come, not even a resync."""
    names = {stream(name) for follower in followers for copy in follower.copies for name in copy.names}
    asked = [one for follower in followers for one in follower.client.subscriptions.values()]
    async with asyncio.timeout(SETTLED):
        while True:
            ends = tokens.decode(await asyncio.to_thread(streams.positions, sorted(names))) or {}
            held = [tokens.decode(one.position) or {} for one in asked]
            if all(position == ends[name] for positions in held for name, position in positions.items()):
                return
            await asyncio.sleep(0.1)


async def until(condition: Callable[[], object], what: str, timeout: float = SETTLED) -> None:
    """Wait for a condition; AssertionError where it does not come true."""
    try:
        async with asyncio.timeout(timeout):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"Not within {timeout:.0f} s: {what}") from None
