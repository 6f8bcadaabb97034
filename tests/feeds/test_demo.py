from __future__ import annotations

import re

import numpy as np
import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feeds.demo import plan_degrees
from feeds.demo_texts import Subject, compose
from feeds.models import (
    AccountList,
    AuthorStats,
    FanoutPolicy,
    Follow,
    Hashtag,
    Like,
    Mention,
    Notification,
    Post,
    PostStats,
    ReadingPosition,
)
from feeds.notifications import notification_page
from feeds.pages import bookmarks_page, list_page
from feeds.policy import get_policy
from feeds.selectors import home_timeline
from feeds.words import do_index_posts
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.demo.community import DemoSize
from recsys.demo.load import load_demo
from recsys.demo.logins import DEMO_LOGINS
from recsys.demo.themes import THEMES
from recsys.outbox.models import OutboxRow
from tests.catalog.makers import make_user
from tests.demo.conftest import NOW
from tests.kept import Kept

pytestmark = pytest.mark.django_db
SIZE = DemoSize(users=400, items=60, interactions=500, posts=600, follows=4000, seed=1)


@pytest.fixture(scope="module")
def _kept_demo(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        return Kept(lambda: load_demo(SIZE, now=NOW))


@pytest.fixture
def report(_kept_demo, db):
    return _kept_demo.put_back()


def test_about_as_many_follows_and_exactly_as_many_posts_as_asked_for(report):
    assert report.extra == {"follows": Follow.objects.count(), "posts": 600}
    assert 0.9 * 4000 <= report.extra["follows"] <= 1.1 * 4000
    assert Post.objects.count() == 600


def test_the_graph_is_heavy_tailed_and_its_counters_are_exact(report):
    counts = {stats.author_id: stats.follower_count for stats in AuthorStats.objects.all() if stats.follower_count}
    followees = list(Follow.objects.values_list("followee_id", flat=True))
    assert counts == {author: followees.count(author) for author in set(followees)}
    ranked = sorted(counts.values(), reverse=True)
    assert sum(ranked[:20]) > 0.25 * sum(ranked)
    assert ranked[0] > 10 * ranked[len(ranked) // 2]


def test_every_post_has_the_mode_that_the_policy_gives_and_both_are_there(report):
    threshold = FanoutPolicy.objects.get().celebrity_threshold
    celebrities = set(AuthorStats.objects.filter(follower_count__gte=threshold).values_list("author_id", flat=True))
    pulled = set(Post.objects.filter(mode="pull").values_list("author_id", flat=True))
    pushed = set(Post.objects.filter(mode="push").values_list("author_id", flat=True))
    assert not Post.objects.filter(mode=None).exists()
    assert pulled
    assert pulled <= celebrities
    assert not pushed & celebrities
    assert AuthorStats.objects.filter(author__in=pulled, has_pull_posts=True).count() == len(pulled)


def test_the_logins_follow_one_another_and_have_a_timeline(report):
    users = {
        user.username: user for user in User.objects.filter(username__in=[login.username for login in DEMO_LOGINS])
    }
    for one in users.values():
        followed = set(Follow.objects.filter(follower=one).values_list("followee__username", flat=True))
        assert set(users) - {one.username} <= followed
        assert len(followed) >= 25
        assert len(home_timeline(reader=one).posts) == 20


def test_posts_are_items_in_the_order_of_their_time_with_varied_texts(report):
    posts = list(Post.objects.select_related("item").order_by("pk"))
    assert [post.created_at for post in posts] == sorted(post.created_at for post in posts)
    assert posts[-1].created_at <= NOW
    assert all(post.item.kind == "post" and post.item.creator_id == post.author_id for post in posts)
    assert all(post.item.description == post.text and post.item.title for post in posts)
    first = [post.text for post in posts if post.repost_of is None and post.reply_to is None]
    assert len(set(first)) > 0.9 * len(first) > 0.6 * len(posts)


def test_posts_are_answered_reposted_liked_tagged_and_about_something(report):
    posts = Post.objects.all()
    assert 40 < posts.filter(reply_to__isnull=False).count() < 110
    assert 15 < posts.filter(repost_of__isnull=False).count() < 60
    assert posts.filter(attached__isnull=False).count() > 100
    assert posts.filter(visibility="followers").exists()
    assert Mention.objects.exists()
    assert Like.objects.count() > 200
    assert Hashtag.objects.values("tag").distinct().count() > 5
    stats = PostStats.objects.aggregate(
        likes=Sum("like_count"), replies=Sum("reply_count"), reposts=Sum("repost_count")
    )
    assert stats["likes"] == Like.objects.count()
    assert stats["replies"] == posts.filter(reply_to__isnull=False).count()
    assert stats["reposts"] == posts.filter(repost_of__isnull=False).count()
    assert not Item.objects.filter(is_withheld=False, post__visibility="followers").exists()


def test_what_posts_mean_is_already_in_the_tables(report):
    with CaptureQueriesContext(connection) as queries:
        do_index_posts(posts=list(Post.objects.values_list("pk", flat=True)))
    assert not [query["sql"] for query in queries if not query["sql"].lstrip().startswith("SELECT")]


def test_people_follow_those_who_like_the_same_more_than_chance_would(report):
    from recsys.demo.people import generate_people

    people = generate_people(np.random.default_rng([SIZE.seed, 1]), np.arange(SIZE.users))
    favourite = dict(
        zip(User.objects.order_by("pk").values_list("pk", flat=True), people.tastes.argmax(axis=1), strict=True)
    )
    same = np.mean(
        [favourite[one] == favourite[other] for one, other in Follow.objects.values_list("follower", "followee")]
    )
    shares = np.bincount(people.tastes.argmax(axis=1), minlength=len(THEMES)) / len(people)
    assert same > 3 * (shares**2).sum()


def test_the_policy_of_a_database_in_use_is_left_alone():
    make_user()
    get_policy()
    before = FanoutPolicy.objects.values().get()
    load_demo(SIZE, now=NOW, force=True)
    assert FanoutPolicy.objects.values().get() == before


def test_the_same_seed_gives_the_same_texts():
    subject = Subject("Heat", "film", 1995, THEMES[0])
    one, same = (np.random.default_rng(5) for _ in range(2))
    assert [compose(one, subject) for _ in range(50)] == [compose(same, subject) for _ in range(50)]


@pytest.mark.parametrize("kind", ["film", "series", "book"])
def test_texts_are_filled_in_whole(kind):
    rng = np.random.default_rng(1)
    for number in range(400):
        text = compose(rng, Subject("The Signal", kind, 1999, THEMES[number % len(THEMES)]))
        assert not re.search(r"[{}]|  |\ba [aeiou]", text), text
        assert len(text) < 500


@pytest.mark.parametrize(("people", "follows"), [(1, 100), (2, 100), (10, 0), (3, 1)])
def test_nobody_follows_more_than_there_are_others(people, follows):
    degrees = plan_degrees(np.random.default_rng(1), people, follows)
    assert degrees.max() <= people - 1
    assert follows or not degrees.any()


def test_the_smallest_communities_load():
    report = load_demo(DemoSize(users=1, items=1, interactions=10, posts=3, follows=5), now=NOW)
    assert report.extra == {"follows": 0, "posts": 3}


def test_who_can_be_logged_in_as_is_told_of_what_others_do():
    load_demo(SIZE, now=timezone.now())
    told = set(Notification.objects.values_list("kind", flat=True))
    assert told == {"follow", "request", "reply", "mention", "like", "repost"}
    captured = set(OutboxRow.objects.values_list("aggregatetype", flat=True))
    assert not captured & {"feeds.like", "feeds.notification", "feeds.follow"}  # nobody waits for history
    for login in DEMO_LOGINS:
        person = User.objects.get(username=login.username)
        groups = notification_page(recipient=person).groups
        # Who is private has let each follower in, and is not told of them.
        assert {group.key.kind for group in groups} >= ({"like"} if person.is_private else {"like", "follow"})
        assert [group.at for group in groups] == sorted((group.at for group in groups), reverse=True)
        assert any(group.count > 3 for group in groups)
        assert any(group.is_read for group in groups)
        assert login.username not in {actor.username for group in groups for actor in group.actors}


def test_the_logins_have_a_list_bookmarks_and_something_new_since_their_last_visit(report):
    for login in DEMO_LOGINS:
        reader = User.objects.get(username=login.username)
        found = AccountList.objects.get(owner=reader)
        assert list_page(account_list=found).posts
        assert bookmarks_page(reader=reader).posts
        position = ReadingPosition.objects.get(reader=reader)
        assert position.newest_seen == position.unread_after > 0
        assert Post.objects.filter(pk=position.newest_seen, created_at__lt=position.visited_at).exists()
