"""Reads about the social graph that pages show: counts, and whom one might follow."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from feeds.models import AuthorStats, Follow
from recsys.accounts.models import User


@dataclass(frozen=True, slots=True)
class FollowSummary:
    """How an author stands in the graph, and whether the reader follows them."""

    follower_count: int
    following_count: int
    following: bool


def follow_summary(*, author: User, reader: User | None) -> FollowSummary:
    """Two queries, three for a signed-in reader."""
    followers = AuthorStats.objects.filter(author=author).values_list("follower_count", flat=True).first()
    edges = Follow.objects.filter(follower=reader, followee=author) if reader else Follow.objects.none()
    return FollowSummary(followers or 0, Follow.objects.filter(follower=author).count(), edges.exists())


def suggested_people(*, reader: User | None, limit: int = 5) -> list[User]:
    """Active authors with posts whom the reader does not follow: most followed first."""
    stats = AuthorStats.objects.select_related("author").filter(author__is_active=True, follower_count__gt=0)
    if reader:
        followed = Follow.objects.filter(follower=reader, followee=OuterRef("author"))
        stats = stats.exclude(author=reader).exclude(Exists(followed))
    return [row.author for row in stats.order_by("-follower_count", "author")[:limit]]
