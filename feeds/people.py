"""Reads about the social graph that pages show: counts, and whom one might follow."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef

from feeds.models import AuthorStats, Follow, Post
from recsys.accounts.models import User

RECENT_POSTS = 1000


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
    """Whom one might follow: those who wrote lately, the most followed first. One query, whose cost is bounded by
    RECENT_POSTS however many people and posts there are.
    """
    lately = Post.objects.order_by("-item_id").values("author_id")[:RECENT_POSTS]
    people = User.objects.filter(is_active=True, pk__in=lately)
    if reader:
        followed = Follow.objects.filter(follower=reader, followee=OuterRef("pk"))
        people = people.exclude(pk=reader.pk).exclude(Exists(followed))
    return list(people.order_by(F("author_stats__follower_count").desc(nulls_last=True), "pk")[:limit])
