"""People and follows for the tests of this directory."""

from __future__ import annotations

from collections.abc import Iterable

from feeds import timelines
from feeds.models import Follow
from feeds.selectors import home_timeline, timeline_sql
from feeds.timelines import WindowKey
from realtime.keys import ONLINE
from realtime.valkey import get_client
from recsys.accounts.models import User


def make_people(count: int, prefix: str = "p") -> list[User]:
    return User.objects.bulk_create([User(username=f"{prefix}{number}") for number in range(count)])


def let_follow(followers: Iterable[User], followees: Iterable[User]) -> None:
    followees = list(followees)
    Follow.objects.bulk_create(
        [Follow(follower=one, followee=other) for one in followers for other in followees if one != other]
    )


def let_be_online(*people: User) -> None:
    """As socket servers say it of those who have a connection."""
    now, _ = get_client().time()
    get_client().zadd(ONLINE.key(), {str(person.pk): now + 20 for person in people})


def shown(reader: User, **options) -> list[int]:
    """The ids of one page of the home timeline."""
    return [post.pk for post in home_timeline(reader=reader, **options).posts]


def all_pages(reader: User, limit: int) -> list[int]:
    """The ids of all pages, one after the other."""
    ids, before = [], None
    while True:
        page = home_timeline(reader=reader, before=before, limit=limit)
        ids += [post.pk for post in page.posts]
        if page.next_before is None:
            return ids
        before = page.next_before


def truth(reader: User) -> list[int]:
    return list(timeline_sql(reader=reader).values_list("pk", flat=True))


def lose(key: WindowKey, posts: Iterable[int]) -> None:
    """Let a window be without some of its posts, which nothing of ours does, and let everybody notice."""
    get_client().zrem(key.name, *posts)
    timelines.note_change([key.owner])
