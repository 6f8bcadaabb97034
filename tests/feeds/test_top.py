"""The ranked view: what is ranked, and pages that go through one ranking whatever happens meanwhile."""

from __future__ import annotations

import random
import uuid
from datetime import timedelta

import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feeds import selectors, top
from feeds.actions import do_create_post, do_delete_post
from feeds.graph import do_follow, do_unfollow
from feeds.models import Post
from feeds.top import TopPage, further_top_page, top_page
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events.actions import EventInput, do_record_events
from recsys.outbox.testing import drain
from recsys.recommend.models import Slate
from tests.feeds.graph import make_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana")


@pytest.fixture
def authors(ana) -> list[User]:
    """Three people whom the reader follows."""
    people = make_people(3)
    for person in people:
        do_follow(follower=ana, followee=person)
    return people


def write(author: User, count: int = 1, **fields) -> list[Post]:
    if fields:
        posts = []
        for _ in range(count):
            item = Item.objects.create(kind="post", title="x", creator=author)
            posts.append(Post.objects.create(item=item, author=author, **fields))
    else:
        posts = [do_create_post(author=author, text=f"Post {number}") for number in range(count)]
    drain()
    return posts


def say(user: User, kind: str, *posts: Post) -> None:
    events = [EventInput(uuid.uuid4().hex, user.pk, post.pk, kind) for post in posts]
    do_record_events(events=events, scope="test")


def ids(found: TopPage) -> list[int]:
    return [post.pk for post in found.page.posts]


def rest_of(reader: User, found: TopPage, limit: int) -> list[int]:
    """The ids of all further pages of a ranking."""
    seen: list[int] = []
    while found.page.next_before is not None:
        further = further_top_page(
            reader=reader, ranking=found.recommendation_id, start=found.page.next_before, limit=limit
        )
        assert further is not None
        found = further
        seen += ids(found)
    return seen


class TestRanking:
    def test_without_signals_it_is_newest_first_and_says_so(self, ana, authors):
        posts = [write(random.choice(authors))[0].pk for _ in range(6)][::-1]
        found = top_page(reader=ana)
        assert ids(found) == posts
        assert not found.is_ranked
        assert found.served_by == "fresh"

    def test_the_people_whom_one_likes_come_first(self, ana, authors):
        dear, other, _ = authors
        say(ana, "like", *write(dear, 2))
        theirs = write(dear)[0]
        newer = write(other)[0]
        found = top_page(reader=ana)
        assert ids(found) == [theirs.pk, newer.pk]
        assert found.is_ranked
        assert found.reasons[theirs.pk] == f"Because you liked what {dear.name} shared"

    def test_leaves_out_ones_own_and_what_was_read(self, ana, authors):
        write(ana)
        read, unread = write(authors[0], 2)
        say(ana, "view", read)
        assert ids(top_page(reader=ana)) == [unread.pk]

    def test_leaves_out_what_is_old(self, ana, authors):
        old, new = write(authors[0], 2)
        Post.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=8))
        assert ids(top_page(reader=ana)) == [new.pk]

    def test_shows_a_post_once_and_rather_itself_than_its_repost(self, ana, authors):
        original = write(authors[0])[0]
        outside = write(make_people(1, "stranger")[0])[0]
        Post.objects.filter(pk=original.pk).update(created_at=timezone.now() - timedelta(days=2))
        write(authors[1], repost_of=original)  # long after it: the timeline shows both
        repost = write(authors[1], repost_of=outside)[0]
        assert set(ids(top_page(reader=ana))) == {original.pk, repost.pk}

    def test_what_a_post_is_about_counts(self, ana, authors):
        film = Item.objects.create(kind="film", title="Heat")
        say_about = write(authors[0], text="about", attached=film)[0]
        assert top._candidates(ana)[0] == top.Given(say_about.pk, say_about.pk, film.pk)

    def test_an_empty_timeline_is_an_empty_ranking(self, ana):
        found = top_page(reader=ana)
        assert (ids(found), found.page.next_before, found.served_by) == ([], None, "none")

    def test_works_without_valkey(self, ana, authors, monkeypatch):
        posts = write(authors[0], 2)

        def gone(*_, **__):
            raise redis.ConnectionError("away")

        monkeypatch.setattr(selectors.timelines, "read_home", gone)
        assert set(ids(top_page(reader=ana))) == {post.pk for post in posts}


class TestPaging:
    def test_goes_through_one_ranking(self, ana, authors):
        posts = {post.pk for author in authors for post in write(author, 5)}
        first = top_page(reader=ana, limit=4)
        say(ana, "like", first.page.posts[0])  # would rank the rest differently
        write(authors[0], 3)
        rest = rest_of(ana, first, 4)
        assert len(ids(first)) == 4
        assert sorted(ids(first) + rest) == sorted(posts)
        assert Slate.objects.count() == 1

    def test_leaves_out_what_vanished_meanwhile(self, ana, authors):
        for author in authors:
            write(author, 5)
        first = top_page(reader=ana, limit=4)
        ranked = [entry["item"] for entry in Slate.objects.get().entries]
        gone = Post.objects.get(pk=ranked[5])
        do_delete_post(post=gone, by=gone.author)
        left = Post.objects.get(pk=ranked[6]).author
        do_unfollow(follower=ana, followee=left)
        expected = [pk for pk in ranked[4:] if Post.objects.filter(pk=pk).exclude(author=left).exists()]
        assert rest_of(ana, first, 4) == expected

    def test_more_that_vanished_than_a_page_holds_does_not_end_it(self, ana, authors, monkeypatch):
        monkeypatch.setattr(top, "SPARE", 1)
        for author in authors:
            write(author, 5)
        first = top_page(reader=ana, limit=2)
        ranked = [entry["item"] for entry in Slate.objects.get().entries]
        for pk in ranked[2:12]:
            post = Post.objects.get(pk=pk)
            do_delete_post(post=post, by=post.author)
        assert rest_of(ana, first, 2) == ranked[12:]

    def test_is_bounded(self, ana, authors, monkeypatch):
        monkeypatch.setattr(top, "LONGEST", 5)
        write(authors[0], 8)
        first = top_page(reader=ana, limit=3)
        assert len(ids(first) + rest_of(ana, first, 3)) == 5

    def test_a_ranking_of_somebody_else_or_of_another_surface_is_none(self, ana, authors):
        write(authors[0], 3)
        found = top_page(reader=ana, limit=1)
        ranking = found.recommendation_id
        assert further_top_page(reader=authors[0], ranking=ranking, start=1) is None
        assert further_top_page(reader=ana, ranking=uuid.uuid4(), start=1) is None
        Slate.objects.update(surface="for_you")
        assert further_top_page(reader=ana, ranking=ranking, start=1) is None

    def test_beyond_its_end_there_is_nothing(self, ana, authors):
        write(authors[0], 3)
        found = top_page(reader=ana, limit=1)
        beyond = further_top_page(reader=ana, ranking=found.recommendation_id, start=2**62)
        assert beyond is not None
        assert (ids(beyond), beyond.page.next_before) == ([], None)


def test_the_cost_does_not_grow(ana, authors):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            top_page(reader=ana)
        around = ("SAVEPOINT", "RELEASE", "SELECT set_config", "SELECT current_setting")
        return len([one for one in captured if not one["sql"].startswith(around)])

    say(ana, "like", write(authors[0])[0])
    write(authors[0])
    queries()  # fills the windows
    few = queries()
    for author in authors:
        write(author, 8)
    assert queries() == few <= 18
