"""People who look at their timelines, and an author whom all of them hear through one stream."""

from __future__ import annotations

from dataclasses import dataclass

from feeds.bench.crowd import let_follow
from feeds.models import AuthorStats
from feeds.subscriptions import author_stream
from recsys.bench.logins import log_in, make_users

# A timeline is one's own stream and those of pulled authors: here two.
SUBSCRIPTION = b'{"type": "subscribe", "id": "1", "kind": "timeline"}'


@dataclass(frozen=True)
class Audience:
    """The `author` (a user's id) whose followers share `stream`, and the Cookie header of each of them."""

    author: int
    stream: str
    cookies: list[str]


def gather_audience(name: str, count: int) -> Audience:
    """`count` people with sessions, who all follow the same author, whose posts are pulled."""
    author, *readers = make_users(f"bench-{name}", count + 1)
    AuthorStats.objects.update_or_create(author=author, defaults={"has_pull_posts": True})
    let_follow([reader.pk for reader in readers], author.pk)
    return Audience(author.pk, author_stream(author.pk), log_in(readers))
