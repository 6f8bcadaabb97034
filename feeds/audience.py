"""Whom a post is brought to: an author's followers in the order of their need, and for each post those it is for.

A *window* gets whatever may ever be read from it while its tag stays the same: follows are part of the tag, so a reply
need not go to those who do not follow both sides. What the tag does not know (a suspended account, a repost's original)
is left to reading. The *told* are those whose timeline shows the post now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import F, Q
from django.utils import timezone

from feeds.models import Delivery, Post
from feeds.subscriptions import user_stream
from feeds.visibility import follows, home_rule
from realtime import streams
from recsys.prepared import read_prepared

CHUNK = 2000  # followers
RECENT = timedelta(days=1)
FOR_ALL = Q(repost_of=None) & (Q(reply_to_author=None) | Q(reply_to_author=F("author")))  # not `is_selective`

# As one array each: a hundred thousand ids cost 10 ms so, and half a second as rows and parameters of the ORM.
_FOLLOWERS = """
    SELECT coalesce(array_agg(follower_id ORDER BY follower_id), '{}') FROM feeds_follow WHERE followee_id = %(author)s
"""
_RECENT = """
    SELECT coalesce(array_agg(p.reader_id), '{}')
    FROM feeds_readingposition p JOIN feeds_follow f ON f.followee_id = %(author)s AND f.follower_id = p.reader_id
    WHERE p.read_at >= %(since)s
"""
# Who muted the author comes by itself, as that is mostly nobody.
_OF_AUTHOR = """
    SELECT coalesce(array_agg(follower_id), '{}'),
           ARRAY(SELECT muter_id FROM feeds_mute WHERE muted_id = %(author)s AND muter_id = ANY(%(readers)s::bigint[]))
    FROM feeds_follow WHERE followee_id = %(author)s AND follower_id = ANY(%(readers)s::bigint[])
"""
_OF_AUTHORS = """
    SELECT a.author, array_agg(f.follower_id), coalesce(array_agg(f.follower_id) FILTER (WHERE m.id IS NULL), '{}')
    FROM unnest(%(authors)s::bigint[]) AS a (author) CROSS JOIN LATERAL (
        SELECT follower_id FROM feeds_follow WHERE followee_id = a.author ORDER BY follower_id LIMIT %(most)s
    ) f LEFT JOIN feeds_mute m ON m.muter_id = f.follower_id AND m.muted_id = a.author
    GROUP BY a.author
"""
_OF_POST = f"""
    SELECT coalesce(array_agg(f.follower_id), '{{}}'),
           coalesce(array_agg(f.follower_id) FILTER (WHERE {home_rule("f.follower_id", "p")}), '{{}}')
    FROM feeds_post p JOIN feeds_follow f ON f.followee_id = p.author_id
    WHERE p.item_id = %(post)s AND f.follower_id = ANY(%(readers)s::bigint[]) AND (
        p.reply_to_author_id IS NULL OR p.reply_to_author_id IN (p.author_id, f.follower_id)
        OR {follows("f.follower_id", "p.reply_to_author_id")})
"""  # noqa: S608 (of our own texts)


@dataclass(frozen=True, slots=True)
class Audience:
    """Readers whose windows get a post, and those of them who are told of it."""

    windows: list[int]
    told: list[int]


def followers_of(author: int) -> list[int]:
    """The ids of everybody who follows the author, in order."""
    return _ids(_FOLLOWERS, {"author": author})


def chunks(author: int, followers: Sequence[int]) -> Iterator[tuple[str, list[int]]]:
    """The author's followers in parts of at most CHUNK, each with its bucket, in the order in which they are served."""
    connected = _connected(followers)
    recent = set(_ids(_RECENT, {"author": author, "since": timezone.now() - RECENT})) - connected
    buckets = {
        Delivery.Bucket.CONNECTED: [one for one in followers if one in connected],
        Delivery.Bucket.RECENT: [one for one in followers if one in recent],
        Delivery.Bucket.REST: [one for one in followers if one not in connected and one not in recent],
    }
    for bucket, members in buckets.items():
        for start in range(0, len(members), CHUNK):
            yield bucket.value, members[start : start + CHUNK]


def _ids(sql: str, parameters: dict[str, Any]) -> list[int]:
    ((ids,),) = read_prepared(sql, parameters)
    return list(ids)


def _connected(followers: Sequence[int]) -> set[int]:
    names = {user_stream(reader): reader for reader in followers}
    return {names[name] for name in streams.with_readers(list(names))}


def is_selective(post: Post) -> bool:
    """The post is not for all followers alike: a reply to somebody else, or a repost."""
    return post.repost_of_id is not None or post.reply_to_author_id not in (None, post.author_id)


def of_authors(authors: Sequence[int]) -> dict[int, Audience]:
    """All followers of each author, for posts that are for all of them; authors with more than CHUNK are left out."""
    rows = read_prepared(_OF_AUTHORS, {"authors": authors, "most": CHUNK + 1})
    found = {author: Audience(windows, told) for author, windows, told in rows}
    audiences = {author: found.get(author, Audience([], [])) for author in authors}
    return {author: followers for author, followers in audiences.items() if len(followers.windows) <= CHUNK}


def of_author(author: int, readers: Sequence[int]) -> Audience:
    """Those of the readers who (still) follow the author, for posts that are for all of them."""
    ((windows, muters),) = read_prepared(_OF_AUTHOR, {"author": author, "readers": readers})
    if not muters:
        return Audience(windows, windows)
    deaf = set(muters)
    return Audience(windows, [reader for reader in windows if reader not in deaf])


def of_post(post: Post, readers: Sequence[int]) -> Audience:
    """Those of the readers whom this very post is for."""
    ((windows, told),) = read_prepared(_OF_POST, {"post": post.pk, "readers": readers})
    return Audience(windows, told)
