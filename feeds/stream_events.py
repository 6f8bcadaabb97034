"""The events that tell readers of posts, and how many of them become one."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from typing import Any

from feeds.models import Post

NAMED = 100  # posts that one event names; of more, only how many there are

Event = dict[str, Any]


def post_new(post: int, author: int) -> Event:
    """A post is there."""
    return {"type": "post.new", "post": post, "author": author}


def post_edited(post: int, version: str) -> Event:
    """A post, or what a repost shows, has other words; `version` tells a page that has them already."""
    return {"type": "post.edited", "key": post, "post": post, "version": version}


def post_deleted(post: int) -> Event:
    """A post is gone."""
    return {"type": "post.deleted", "key": post, "post": post}


def version_of(post: Post) -> str:
    """What tells the words of a post from what they were before, whoever changed them."""
    words = (post.text, post.visibility, post.image_url, post.image_alt, post.attached_id)
    return f"{zlib.crc32(repr(words).encode()):08x}"


def edits_of(posts: Collection[int]) -> dict[int, Event]:
    """The event for each of the posts that there are. One query."""
    found = Post.objects.filter(pk__in=posts).select_related("repost_of") if posts else ()
    return {post.pk: post_edited(post.pk, version_of(post.repost_of or post)) for post in found}


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
