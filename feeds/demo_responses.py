"""What others do about the posts of those whom one can log in as, so that their notifications are not empty."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from feeds.models import Follow, FollowRequest, Like, Notification, Post
from feeds.notify import (
    notify_of_follows,
    notify_of_likes,
    notify_of_posts,
    notify_of_reposts,
    notify_of_requests,
)
from recsys.demo.community import Community
from recsys.demo.logins import DEMO_LOGINS

LIKED_POSTS = 4  # of each, the newest; the one before has more likes
SEEN_AFTER = timedelta(days=2)
FOLLOWS_TOLD, POSTS_TOLD = 30, 200

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
    """Likes of the newest posts of the demo's logins, and what they are told: of these, of who follows them or asks
    to, and of who answered, named or reposted them.
    """
    people = [int(pk) for pk in community.people.ids[: len(DEMO_LOGINS)]]
    with connection.cursor() as cursor:
        cursor.execute(_LIKES, {"authors": people, "now": community.now, "posts": LIKED_POSTS})
    follows = Follow.objects.filter(followee__in=people).order_by("-created_at", "pk")
    notify_of_follows(follows.values_list("follower_id", "followee_id")[:FOLLOWS_TOLD])
    notify_of_requests(FollowRequest.objects.filter(target__in=people).values_list("requester_id", "target_id"))
    notify_of_likes(Like.objects.filter(post__author__in=people).values_list("user_id", "post_id"))
    about = Post.objects.filter(Q(reply_to_author__in=people) | Q(mentions__user__in=people)).order_by("-pk")
    notify_of_posts(about.values_list("pk", flat=True)[:POSTS_TOLD])
    reposts = Post.objects.filter(repost_of__author__in=people).order_by("-pk")
    notify_of_reposts(reposts.values_list("author_id", "repost_of_id")[:POSTS_TOLD])
    _put_in_order(people, community.now - SEEN_AFTER)


def _put_in_order(people: Sequence[int], seen_until: datetime) -> None:
    """Let the notifications stand in the order of what they tell of, which is that of their ids, with the older ones
    seen.
    """
    told = list(Notification.objects.filter(recipient__in=people).order_by("created_at", "pk"))
    Notification.objects.filter(recipient__in=people).delete()
    for one in told:
        one.pk = None
        if one.created_at < seen_until:
            one.seen_at = one.read_at = one.created_at
    Notification.objects.bulk_create(told)
