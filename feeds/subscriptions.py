"""Which streams a reader's timeline is made of."""

from __future__ import annotations

from typing import Any

from django.db import connection

from realtime.streams import MAX_STREAMS

KIND = "timeline"

# The most followed first: where somebody follows more pulled authors than one position can hold, the others' posts
# show on the next page load.
_PULLED = """
    SELECT s.author_id FROM feeds_authorstats s
    WHERE s.has_pull_posts
      AND s.author_id IN (SELECT followee_id FROM feeds_follow WHERE follower_id = %(reader)s)
      AND s.author_id NOT IN (SELECT muted_id FROM feeds_mute WHERE muter_id = %(reader)s)
    ORDER BY s.follower_count DESC, s.author_id LIMIT %(most)s
"""


def user_stream(user: int) -> str:
    """What happens in a reader's timeline."""
    return f"user:{user}"


def author_stream(author: int) -> str:
    """What a pulled author's readers listen to together."""
    return f"author:{author}"


def timeline_streams(reader: int) -> list[str]:
    """The names of the streams of `reader`'s home timeline: their own, and those of the pulled authors they follow
    and have not muted.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PULLED, {"reader": reader, "most": MAX_STREAMS - 1})
        return stream_names(reader, [author for (author,) in cursor.fetchall()])


def stream_names(reader: int, pulled_authors: list[int]) -> list[str]:
    """The names for a reader who follows these pulled authors; at most as many as a position can hold."""
    return [user_stream(reader), *(author_stream(author) for author in pulled_authors[: MAX_STREAMS - 1])]


def timeline_rule(user: Any, argument: str) -> list[str] | None:
    """Rule of the subscription kind "timeline": one's own, and no other."""
    if not user.is_authenticated or argument:
        return None
    return timeline_streams(user.pk)
