"""A reader's timeline for staff: what stands there by SQL, and how each entry came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import redis
from django.db.models import Max, Min

from feeds import timelines
from feeds.models import Delivery, Follow, Post
from feeds.selectors import graph_of, timeline_sql
from recsys.accounts.models import User

TRACED = 50


@dataclass(frozen=True, slots=True)
class Trace:
    """An entry: since when the reader follows its author (None: it is their own), when the fan-out brought it, and
    whether a window holds it (None: no warm window could).
    """

    post: Post
    followed_at: datetime | None
    first_at: datetime | None
    last_at: datetime | None
    held: bool | None


def trace_timeline(*, reader: User) -> list[Trace]:
    """The newest entries. Looking is no visit: no window is filled or prolonged by it."""
    posts = list(timeline_sql(reader=reader)[:TRACED])
    authors = {post.author_id for post in posts}
    edges = Follow.objects.filter(follower=reader, followee__in=authors).values_list("followee", "created_at")
    followed = dict(edges)
    times = Delivery.objects.filter(post__in=[post.pk for post in posts]).values("post").annotate(
        first=Min("first_at"), last=Max("last_at")
    )  # fmt: skip
    delivered = {row["post"]: (row["first"], row["last"]) for row in times}
    held, floor = _held(reader)
    return [
        Trace(
            post,
            followed.get(post.author_id),
            *delivered.get(post.pk, (None, None)),
            post.pk in held if floor is not None and post.pk >= floor else None,
        )
        for post in posts
    ]


def _held(reader: User) -> tuple[set[int], int | None]:
    """The posts in the reader's windows, and from which id on these are complete; None where one is not warm."""
    graph = graph_of(reader)
    try:
        windows = timelines.peek_windows(graph.windows)
    except redis.RedisError:
        return set(), None
    if any(key not in windows or windows[key].tag != graph.tag(key) for key in graph.windows):
        return set(), None
    return {post for window in windows.values() for post in window.posts}, max(one.floor for one in windows.values())
