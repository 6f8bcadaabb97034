"""Whoever brings posts from the database to the streams may be killed too: readers hold what SQL says in the end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.test import Client as Browser

from feeds.actions import do_create_post
from feeds.graph import do_follow
from feeds.models import AuthorOverride, Post
from feeds.selectors import home_timeline, timeline_sql
from recsys.accounts.models import User
from recsys.outbox.models import OutboxRow
from tests.faults.realtime.chaos import Chaos
from tests.faults.realtime.followers import cookie_of, following, settle
from tests.faults.realtime.network import SERVERS, Network
from tests.realtime.client import ALL, Client, Subscription

PACE = 0.2  # seconds between posts


class Timeline:
    """A client that keeps the ids of the posts in a home timeline."""

    def __init__(
        self, make: type[Client], address: Callable[[], str], headers: Mapping[str, str], reader: User
    ) -> None:
        self.reader = reader
        self.posts: set[int] = set()
        self.truth: set[int] | None = None
        self.loads = 0
        self.client = make(
            address, [Subscription("timeline", self.load, self.apply)], lambda: headers, longest_delay=2.0
        )

    async def load(self) -> str:
        self.posts, position = await database_sync_to_async(read_whole)(self.reader)
        self.loads += 1
        return position

    def apply(self, event: dict[str, Any]) -> None:
        if event["type"] == "post.new":
            self.posts.add(event["post"])
        elif event["type"] == "posts.new":  # many at once, as where a slow worker's posts are delivered again
            assert event["count"] == len(event["posts"]), "some were not named"
            self.posts.update(event["posts"])

    async def follow(self) -> None:
        self.client.subscriptions["1"].position = await self.load()
        goodbye = await self.client.follow()
        raise AssertionError(f"{self.client} was closed for good with {goodbye.code}")

    @property
    def stands(self) -> bool:
        return self.client.connects > 0  # a long poll is answered only when something happens

    @property
    def is_true(self) -> bool:
        return self.posts == self.truth

    def __str__(self) -> str:
        return f"{self.client}; of {self.truth} it holds {self.posts}"


def read_whole(reader: User) -> tuple[set[int], str]:
    """The posts of all pages, and the position of the first."""
    page = first = home_timeline(reader=reader)
    posts = {post.pk for post in first.posts}
    while page.next_before is not None:
        page = home_timeline(reader=reader, before=page.next_before)
        posts |= {post.pk for post in page.posts}
    return posts, first.position


@pytest.fixture
def couriers(network: Network) -> Iterator[None]:
    """A relay and a worker."""
    names = ("relay", "worker")
    for name in names:
        network.start(name)
    yield
    for name in names:
        network.kill(name)


async def post(authors: list[User]) -> None:
    """Write posts, now by the one author and now by the other."""
    count = 0
    while True:
        await database_sync_to_async(do_create_post)(author=authors[count % 2], text=f"Post {count}")
        count += 1
        await asyncio.sleep(PACE)


async def test_relay_and_worker_killed_while_posts_are_on_their_way(
    network: Network, couriers: None, rng: random.Random, log_in: Callable[[str], Browser]
) -> None:
    def people() -> tuple[list[User], User, Mapping[str, str]]:
        headers = cookie_of(log_in("reader"))
        reader = User.objects.get(username="reader")
        authors = [User.objects.create(username=name) for name in ("pushed", "pulled")]
        AuthorOverride.objects.create(author=authors[1], mode="pull")
        for author in authors:
            do_follow(follower=reader, followee=author)
        return authors, reader, headers

    authors, reader, headers = await database_sync_to_async(people)()
    timelines = [Timeline(make, lambda: network.address(rng.choice(SERVERS)), headers, reader) for make in ALL]
    async with following(timelines):
        posting = asyncio.create_task(post(authors))
        chaos = Chaos(network, rng, works=lambda: max(len(timeline.posts) for timeline in timelines))
        await chaos.reign([chaos.kill_the_relay, chaos.kill_the_worker, chaos.kill_a_server])
        posting.cancel()
        await asyncio.gather(posting, return_exceptions=True)
        truth = await database_sync_to_async(lambda: set(timeline_sql(reader=reader).values_list("pk", flat=True)))()
        for timeline in timelines:
            timeline.truth = truth
        await settle(timelines)
        # One when the second author becomes one whose posts are pulled; no post made anybody reload.
        assert all(timeline.client.resyncs <= 2 for timeline in timelines)
    assert len(truth) == await database_sync_to_async(Post.objects.count)() > 10
    assert not await database_sync_to_async(OutboxRow.objects.exclude(parked_at=None).count)()
