"""Who is writing a reply: said to those who read the conversation, and kept by nobody.

It is said where the reply may be read by all of them: a public post, and a writer whose account is public. Like being
online it is hidden by whoever wants to, who then does not hear of it either.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from feeds.models import Post, Visibility
from feeds.selectors import LARGEST_ID
from feeds.subscriptions import shared_stream
from feeds.visibility import VISITOR, may_see, unwanted
from realtime.subscriptions import Filter, Grant, Request
from recsys.events.limits import seconds_to_wait
from recsys.prepared import read_prepared

KIND = "conversation"
TYPING, STOPPED = "typing", "stopped"  # the signals
HOLDS = 6000  # milliseconds for which one counts as writing without saying so again
MOST_UNWANTED = 20_000  # people whom a reader keeps out; who has more hears of nobody

_OPEN = "p.visibility = 'public' AND NOT author.is_private"
_READERS = f"""
    SELECT asked.reader, asked.post, ARRAY(
        SELECT * FROM ({unwanted("asked.reader")}) one LIMIT %(most)s
    )
    FROM (SELECT DISTINCT * FROM unnest(%(readers)s::bigint[], %(posts)s::bigint[])) AS asked (reader, post)
    JOIN accounts_user u ON u.id = asked.reader AND u.is_active AND u.shows_presence
    JOIN feeds_post p ON p.item_id = asked.post AND p.repost_of_id IS NULL
    WHERE {may_see("asked.reader", "p")}
"""  # noqa: S608 (of our own texts)
_WRITER = f"""
    SELECT coalesce(nullif(u.display_name, ''), u.username),
           u.shows_presence AND NOT u.is_private AND {_OPEN}
    FROM accounts_user u
    JOIN feeds_post p ON p.item_id = %(post)s::bigint AND p.repost_of_id IS NULL
    JOIN accounts_user author ON author.id = p.author_id
    WHERE u.id = %(user)s::bigint AND u.is_active AND {may_see("u.id", "p")}
"""  # noqa: S608


def typing_stream(post: int) -> str:
    """What readers of a post's conversation hear of those who write replies."""
    return f"typing:{post}"


def is_told(post: Post) -> bool:
    """Whether readers of this post hear of anybody who writes a reply to it."""
    return post.visibility == Visibility.PUBLIC and not post.author.is_private


def conversation_rule(requests: Sequence[Request]) -> list[Grant | None]:
    """Rule of the subscription kind "conversation": who writes a reply to the post whose number is the argument."""
    asked = [(request.user or VISITOR, _number(request.argument)) for request in requests]
    grants = _grants([(reader, post) for reader, post in asked if reader != VISITOR and post])
    return [grants.get(pair) for pair in asked]


def _grants(pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Grant]:
    """What readers get of posts, by reader and post, where they may read along. One query."""
    if not pairs:
        return {}
    readers, posts = zip(*pairs, strict=True)
    rows = read_prepared(_READERS, {"readers": readers, "posts": posts, "most": MOST_UNWANTED + 1})
    return {
        (reader, post): _grant(reader, post, people) for reader, post, people in rows if len(people) <= MOST_UNWANTED
    }


def _grant(reader: int, post: int, people: Sequence[int]) -> Grant:
    return shared_stream(reader, typing_stream(post), Filter("user", frozenset({*people, reader}), inside=False))


def typing_rule(user: int | None, argument: str) -> list[tuple[str, dict[str, Any]]] | None:
    """Rule of the signal "typing": the user writes a reply."""
    return _said(user, argument, HOLDS)


def stopped_rule(user: int | None, argument: str) -> list[tuple[str, dict[str, Any]]] | None:
    """Rule of the signal "stopped": no more, because it is sent or given up."""
    return _said(user, argument, 0)


def _said(user: int | None, argument: str, holds: int) -> list[tuple[str, dict[str, Any]]] | None:
    """What is told of a writer: since when and for how long it holds, both in milliseconds, by this server's clock.

    Of somebody who says it more often than pages do nothing is told for the rest of the minute.
    """
    post = _number(argument)
    found = read_prepared(_WRITER, {"user": user, "post": post}) if user and post else []
    if not user or not found:
        return None
    ((name, is_said),) = found
    if not is_said or seconds_to_wait(user, what="signal"):
        return []
    event = {"type": TYPING, "user": user, "key": user, "name": name, "at": now_ms(), "holds": holds}
    return [(typing_stream(post), event)]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _number(argument: str) -> int:
    """The post that an argument names, written as numbers are; 0: none."""
    is_one = len(argument) <= len(str(LARGEST_ID)) and argument.isascii() and argument.isdigit()
    return int(argument) if is_one and int(argument) <= LARGEST_ID else 0
