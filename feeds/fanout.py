"""Fan-out: bring posts to their readers' windows, and news of them to their streams.

    post ─▶ mode ─┬─ pull ─▶ the author's list and the stream author:<id>; readers merge
                  └─ push ─▶ chunks of followers ─▶ each warm home window, and the streams user:<id>

Every step is level-triggered: it reads what the posts and the follows are now. A step that runs twice adds what is
there already; one that runs late cannot show anybody what they may not see, because readers check in SQL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from django.db import connection

from feeds import timelines
from feeds.models import DeliveryMode, Follow, Post
from feeds.policy import do_decide_modes
from realtime import streams
from recsys.outbox.handlers import Child

CHUNK = 1000  # followers
CHUNK_TOPIC = "feeds.fanout_chunk"
ANNOUNCED = 20  # posts of a newly pulled author that their followers are told of

_BOUNDS = """
    SELECT follower_id FROM (
        SELECT follower_id, row_number() OVER (ORDER BY follower_id) AS position
        FROM feeds_follow WHERE followee_id = %s
    ) numbered WHERE position %% %s = 0 ORDER BY follower_id
"""


def user_stream(user: int) -> str:
    """What happens in a reader's timeline."""
    return f"user:{user}"


def author_stream(author: int) -> str:
    """What a pulled author's readers listen to together."""
    return f"author:{author}"


def deliver_posts(ids: Sequence[int]) -> list[Child]:
    """Decide the modes of posts and deliver them; the children are the chunks of authors with more followers."""
    do_decide_modes(posts=ids)
    by_author: dict[tuple[int, str], list[int]] = defaultdict(list)
    for post, author, mode in Post.objects.filter(pk__in=ids).values_list("pk", "author_id", "mode"):
        by_author[author, mode or DeliveryMode.PUSH].append(post)
    children: list[Child] = []
    for (author, mode), posts in by_author.items():
        if mode == DeliveryMode.PULL:
            deliver_to_author_list(author, posts)
        else:
            children += spread(author, "deliver", {"posts": posts})
    return children


def deliver_to_author_list(author: int, posts: Sequence[int]) -> None:
    """Add pulled posts to the author's list, and tell whoever listens to it and the author."""
    timelines.add_posts([timelines.author_list(author)], posts)
    names = [author_stream(author), user_stream(author)]
    streams.append((name, _new(post, author)) for post in sorted(posts) for name in names)


def withdraw_posts(gone: Iterable[tuple[int, int, str | None]]) -> list[Child]:
    """Tell the readers of deleted posts, given as (post, author, mode); their windows forget them by reading."""
    children: list[Child] = []
    for post, author, mode in gone:
        if mode == DeliveryMode.PULL:
            timelines.remove_posts(timelines.author_list(author), [post])
            streams.append((name, _deleted(post)) for name in (author_stream(author), user_stream(author)))
        else:
            children += spread(author, "withdraw", {"posts": [post]})
    return children


def announce_pulled_author(author: int) -> list[Child]:
    """Tell the followers of an author whose posts are pulled from now on to listen to the author's stream too.

    The stream's position is taken before the posts are read, so that between what is announced here and what comes
    through the stream nothing is missed.
    """
    position = streams.positions([author_stream(author)])
    pulled = Post.objects.filter(author=author, mode=DeliveryMode.PULL).order_by("-pk").values_list("pk", flat=True)
    return spread(author, "announce", {"posts": list(pulled[:ANNOUNCED]), "position": position})


def spread(author: int, kind: str, payload: dict[str, Any]) -> list[Child]:
    """Do a job for all followers of `author`: here where one chunk holds them, else in children, one for each chunk."""
    bounds = _bounds(author)
    if not bounds:
        run_chunk(kind, {"author": author, "after": 0, "upto": None, **payload})
        return []
    ranges = zip([0, *bounds], [*bounds, None], strict=True)
    return [
        Child(CHUNK_TOPIC, str(author), kind, {"author": author, "after": after, "upto": upto, **payload})
        for after, upto in ranges
    ]


def run_chunk(kind: str, payload: dict[str, Any]) -> None:
    """Do a job for the followers with ids in (after, upto]; the last chunk has no bound and includes the author."""
    author, readers = payload["author"], list(_chunk_readers(payload))
    if kind == "deliver":
        # Read again: what was deleted or blocked while the chunk waited is not delivered.
        posts = list(Post.objects.filter(pk__in=payload["posts"]).order_by("pk").values_list("pk", flat=True))
        if posts:
            timelines.add_posts(map(timelines.home, readers), posts)
        _tell(readers, [_new(post, author) for post in posts])
    elif kind == "withdraw":
        _tell(readers, [_deleted(post) for post in payload["posts"]])
    elif kind == "announce":
        news = [_new(post, author) for post in reversed(payload["posts"])]
        _tell(readers, [*news, resubscribe(payload["position"])])


def resubscribe(position: str) -> dict[str, Any]:
    """The event that makes a connection ask again which streams its subscriptions have, new ones from `position` on."""
    return {"type": "resubscribe", "position": position}


def _chunk_readers(payload: dict[str, Any]) -> Iterator[int]:
    followers = Follow.objects.filter(followee=payload["author"], follower__gt=payload["after"])
    if payload["upto"] is not None:
        followers = followers.filter(follower__lte=payload["upto"])
    ids = followers.order_by("follower").values_list("follower", flat=True)
    return chain(ids, [payload["author"]] if payload["upto"] is None else [])


def _bounds(author: int) -> list[int]:
    """The last follower of each full chunk."""
    with connection.cursor() as cursor:
        cursor.execute(_BOUNDS, [author, CHUNK])
        return [follower for (follower,) in cursor.fetchall()]


def _tell(readers: Sequence[int], events: Iterable[dict[str, Any]]) -> None:
    names = [user_stream(reader) for reader in readers]
    for event in events:
        streams.append_to_all(names, event)


def _new(post: int, author: int) -> dict[str, Any]:
    return {"type": "post.new", "post": post, "author": author}


def _deleted(post: int) -> dict[str, Any]:
    return {"type": "post.deleted", "post": post}
