"""The events that tell readers of posts, and how many of them become one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NAMED = 100  # posts that one event names; of more, only how many there are

Event = dict[str, Any]


def post_new(post: int, author: int) -> Event:
    """A post is there."""
    return {"type": "post.new", "post": post, "author": author}


def post_changed(kind: str, post: int) -> Event:
    """Something became of a post: `kind` is "post.edited" or "post.deleted"."""
    return {"type": kind, "key": post, "post": post}


def merge_posts(events: Sequence[Event]) -> Event:
    """One event for many new posts: all are counted, and the newest named."""
    named: set[int] = set()
    unnamed = 0
    for event in events:
        if event["type"] == "post.new":
            named.add(event["post"])
        else:
            named.update(event["posts"])
            unnamed += event["count"] - len(event["posts"])
    newest = sorted(named, reverse=True)
    return {"type": "posts.new", "posts": newest[:NAMED], "count": len(newest) + unnamed}
