"""What others do about the posts of those whom one can log in as, so that their notifications are not empty."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.db.models.functions import Now

from feeds.models import Follow, Like, Notification
from feeds.notify import notify_of_follows, notify_of_likes
from recsys.demo.community import Community
from recsys.demo.logins import DEMO_LOGINS

LIKED_POSTS = 4  # of each, the newest; the one before has more likes
SEEN_AFTER = timedelta(days=2)
FOLLOWS_TOLD = 30

_LIKES = """
    INSERT INTO feeds_like (user_id, post_id, created_at)
    SELECT f.follower_id, p.item_id, least(p.created_at + f.place * interval '7 minutes', %(now)s) FROM (
        SELECT item_id, author_id, created_at, row_number() OVER (PARTITION BY author_id ORDER BY item_id DESC) AS place
        FROM feeds_post WHERE author_id = ANY(%(authors)s) AND repost_of_id IS NULL
    ) p CROSS JOIN LATERAL (
        SELECT follower_id, row_number() OVER (ORDER BY follower_id) AS place FROM feeds_follow
        WHERE followee_id = p.author_id ORDER BY follower_id OFFSET p.place LIMIT p.place * p.place
    ) f WHERE p.place <= %(posts)s ON CONFLICT DO NOTHING
"""


def write_responses(community: Community) -> None:
    """Likes of the newest posts of the demo's logins, and what they are told of these and of who followed them."""
    people = [int(pk) for pk in community.people.ids[: len(DEMO_LOGINS)]]
    with connection.cursor() as cursor:
        cursor.execute(_LIKES, {"authors": people, "now": community.now, "posts": LIKED_POSTS})
    follows = Follow.objects.filter(followee__in=people).order_by("-created_at", "pk")
    notify_of_follows(follows.values_list("follower_id", "followee_id")[:FOLLOWS_TOLD])
    notify_of_likes(Like.objects.filter(post__author__in=people).values_list("user_id", "post_id"))
    seen = Notification.objects.filter(recipient__in=people, created_at__lt=community.now - SEEN_AFTER)
    seen.update(seen_at=Now(), read_at=Now())
