"""Which streams a reader's timeline is made of."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from realtime.streams import MAX_STREAMS
from realtime.subscriptions import Filter, Grant, Request

KIND = "timeline"
_NOTHING = Filter("type", frozenset())

# The most followed first: where somebody follows more pulled authors than one position can hold, the others' posts
# show on the next page load.
_PULLED = """
    SELECT reader, ARRAY(
        SELECT s.author_id FROM feeds_authorstats s
        WHERE s.has_pull_posts
          AND s.author_id IN (SELECT followee_id FROM feeds_follow WHERE follower_id = reader)
          AND s.author_id NOT IN (SELECT muted_id FROM feeds_mute WHERE muter_id = reader)
        ORDER BY s.follower_count DESC, s.author_id LIMIT %(most)s
    ) FROM unnest(%(readers)s::bigint[]) AS reader
"""


def user_stream(user: int) -> str:
    """What happens in a reader's timeline."""
    return f"user:{user}"


def author_stream(author: int) -> str:
    """What a pulled author's readers listen to together."""
    return f"author:{author}"


def timeline_streams(readers: Sequence[int]) -> dict[int, list[str]]:
    """The names of the streams of each reader's home timeline: their own, and those of the pulled authors they follow
    and have not muted. One query.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PULLED, {"readers": list(readers), "most": MAX_STREAMS - 1})
        return {reader: stream_names(reader, authors) for reader, authors in cursor.fetchall()}


def stream_names(reader: int, pulled_authors: list[int]) -> list[str]:
    """The names for a reader who follows these pulled authors; at most as many as a position can hold."""
    return [user_stream(reader), *(author_stream(author) for author in pulled_authors[: MAX_STREAMS - 1])]


def shared_stream(reader: int, name: str, only: Filter) -> Grant:
    """What a reader gets who hears a part of a stream that many share.

    With it comes their own, of which nothing passes but the word to ask the rule again, when they block somebody, say:
    a program may have no other subscription.
    """
    own = user_stream(reader)
    return Grant([name, own], {name: only, own: _NOTHING})


def timeline_rule(requests: Sequence[Request]) -> list[Grant | None]:
    """Rule of the subscription kind "timeline": one's own, and no other."""
    found = timeline_streams([request.user for request in requests if request.user is not None])
    return [
        Grant(found[request.user]) if request.user is not None and not request.argument else None
        for request in requests
    ]
