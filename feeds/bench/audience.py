"""People who look at their timelines, and an author whom all of them hear through one stream."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from feeds.models import AuthorStats, Follow
from feeds.subscriptions import author_stream
from recsys.accounts.models import User
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
    let_follow(readers, author)
    return Audience(author.pk, author_stream(author.pk), log_in(readers))


def let_follow(readers: Iterable[User], author: User) -> None:
    """Let all of them follow the author who do not yet."""
    edges = [Follow(follower=reader, followee=author) for reader in readers]
    Follow.objects.bulk_create(edges, ignore_conflicts=True)
