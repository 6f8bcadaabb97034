"""Derived columns: each that can go wrong is found, and corrected."""

from __future__ import annotations

import pytest
from django.db import connection

from feeds.actions import do_create_post
from feeds.counters import DERIVED, audit_counters
from feeds.models import AuthorStats, Like, Post, PostStats
from recsys.accounts.models import User
from recsys.catalog.models import Item
from tests.feeds.graph import let_follow, make_people

pytestmark = pytest.mark.django_db


def repost(author: User, post: Post) -> Post:
    return Post.objects.create(item=Item.objects.create(kind="post", title="x"), author=author, repost_of=post)


@pytest.fixture
def post() -> Post:
    """A post that was liked, reposted and answered, by an author with two followers; another is pulled."""
    ana, ben, cem = make_people(3)
    let_follow([ben, cem], [ana])
    post = do_create_post(author=ana, text="hello")
    Like.objects.create(user=ben, post=post)
    repost(ben, post)
    Post.objects.create(item=Item.objects.create(kind="post", title="x"), author=cem, reply_to=post, text="yes")
    Post.objects.filter(author=cem).update(mode="pull")
    AuthorStats.objects.update_or_create(author=cem, defaults={"has_pull_posts": True})
    return post


BREAKING = {
    "AuthorStats.follower_count": "UPDATE feeds_authorstats SET follower_count = 7 WHERE follower_count = 2",
    "PostStats.like_count": "UPDATE feeds_poststats SET like_count = 7",
    "PostStats.repost_count": "UPDATE feeds_poststats SET repost_count = 0",
    "PostStats.reply_count": "UPDATE feeds_poststats SET reply_count = 2",
    "Post.reply_to_author": "UPDATE feeds_post SET reply_to_author_id = author_id WHERE reply_to_id IS NOT NULL",
    "AuthorStats.has_pull_posts": "UPDATE feeds_authorstats SET has_pull_posts = false",
    "Item.is_withheld": "UPDATE catalog_item SET is_withheld = true"
    " WHERE id = (SELECT repost_of_id FROM feeds_post WHERE repost_of_id IS NOT NULL)",
}


def wrong() -> dict[str, int]:
    return {name: number for name, number in audit_counters(repair=False).items() if number}


def test_what_triggers_keep_is_right(post):
    assert wrong() == {}


def test_every_column_has_a_way_to_break_it():
    assert set(BREAKING) == {derived.name for derived in DERIVED}


@pytest.mark.parametrize("name", BREAKING)
def test_a_wrong_column_is_found_and_corrected(post, name):
    with connection.cursor() as cursor:
        cursor.execute(BREAKING[name])
        assert cursor.rowcount == 1 or name == "AuthorStats.has_pull_posts"
    assert wrong() == {name: 1}
    audit_counters(repair=True)
    assert wrong() == {}


def test_rows_that_are_not_there_count_as_nothing(post):
    PostStats.objects.all().delete()
    AuthorStats.objects.all().delete()
    assert set(wrong()) == {name for name in BREAKING if "Stats" in name}
    audit_counters(repair=True)
    assert wrong() == {}
    assert PostStats.objects.get(post=post).like_count == 1
    assert AuthorStats.objects.get(author=post.author).follower_count == 2


def test_an_account_whose_change_of_privacy_is_being_handled_waits(post):
    author = post.author
    author.is_private = True
    author.save()
    assert wrong() == {}
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM outbox")
    assert wrong() == {"Item.is_withheld": 1}
