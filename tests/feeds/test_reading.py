"""What is new since the last visit, and where the page says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feeds.actions import do_create_post
from feeds.graph import do_follow
from feeds.models import Post, ReadingPosition
from feeds.reading import (
    UnreadMark,
    do_mark_unread,
    do_note_reading,
    do_note_visit,
    do_set_position,
    position_of,
    unread_after,
)
from feeds.selectors import home_timeline
from recsys.accounts.models import User
from recsys.outbox.testing import drain
from tests.feeds.graph import make_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana(ben) -> User:
    reader = User.objects.create_user("ana")
    do_follow(follower=reader, followee=ben)
    return reader


@pytest.fixture
def ben() -> User:
    return make_people(1, "ben")[0]


def later(reader: User, minutes: int) -> None:
    ago = timedelta(minutes=minutes)
    ReadingPosition.objects.filter(reader=reader).update(visited_at=F("visited_at") - ago, read_at=F("read_at") - ago)


def write(author: User, count: int = 1) -> list[Post]:
    posts = [do_create_post(author=author, text=f"Post {number}") for number in range(count)]
    drain()
    return posts


def visit(reader: User, before: int | None = None, limit: int = 5) -> UnreadMark:
    page = home_timeline(reader=reader, before=before, limit=limit)
    return do_mark_unread(reader=reader, page=page, before=before)


class TestVisits:
    def test_the_first_of_all_marks_nothing(self, ana):
        assert do_note_visit(reader=ana, newest=7) == 7
        assert unread_after(ana) == 7

    def test_a_pause_begins_another_one(self, ana):
        do_note_visit(reader=ana, newest=7)
        later(ana, 29)
        assert do_note_visit(reader=ana, newest=9) == 7
        assert do_note_visit(reader=ana, newest=10) == 7
        later(ana, 31)
        assert do_note_visit(reader=ana, newest=12) == 10
        assert do_note_visit(reader=ana, newest=12) == 10

    def test_what_was_seen_stays_seen_when_it_is_deleted(self, ana):
        do_note_visit(reader=ana, newest=9)
        do_note_visit(reader=ana, newest=5)
        later(ana, 31)
        assert do_note_visit(reader=ana, newest=5) == 9

    def test_it_is_one_statement_that_writes_at_most_once_a_minute_while_nothing_is_newer(self, ana):
        do_note_visit(reader=ana, newest=7)

        def written(newest: int) -> bool:
            before = version(ana)
            with CaptureQueriesContext(connection) as captured:
                do_note_visit(reader=ana, newest=newest)
            assert len(captured) == 1
            return version(ana) != before

        assert not written(7)
        assert not written(6)
        assert written(8)
        later(ana, 2)
        assert written(8)

    def test_each_reader_has_their_own(self, ana, ben):
        do_note_visit(reader=ana, newest=7)
        do_note_visit(reader=ben, newest=9)
        assert (unread_after(ana), unread_after(ben)) == (7, 9)


class TestReading:
    def test_is_no_visit(self, ana):
        do_note_reading(reader=ana)
        known = ReadingPosition.objects.get(reader=ana)
        assert (known.newest_seen, known.unread_after, known.visited_at) == (0, 0, None)
        assert timezone.now() - known.read_at < timedelta(minutes=1)

    def test_leaves_the_first_visit_of_all_to_mark_nothing(self, ana):
        do_note_reading(reader=ana)
        assert do_note_visit(reader=ana, newest=7) == 7
        assert do_note_visit(reader=ana, newest=9) == 7

    def test_does_not_prolong_a_visit(self, ana):
        do_note_visit(reader=ana, newest=7)
        later(ana, 20)
        do_note_reading(reader=ana)
        later(ana, 20)
        assert do_note_visit(reader=ana, newest=9) == 7
        assert do_note_visit(reader=ana, newest=11) == 7
        later(ana, 31)
        assert do_note_visit(reader=ana, newest=11) == 11

    def test_is_one_statement_that_writes_at_most_once_in_ten_minutes(self, ana):
        def written() -> bool:
            before = version(ana)
            with CaptureQueriesContext(connection) as captured:
                do_note_reading(reader=ana)
            assert len(captured) == 1
            return version(ana) != before

        assert written()
        assert not written()
        later(ana, 9)
        assert not written()
        later(ana, 2)
        assert written()
        assert not written()

    @pytest.mark.parametrize(
        "note", [lambda ana: do_note_visit(reader=ana, newest=7), lambda ana: do_set_position(reader=ana, seen=0)]
    )
    def test_visits_and_what_partners_say_count_as_well(self, ana, note):
        do_note_reading(reader=ana)
        later(ana, 60)
        note(ana)
        assert timezone.now() - ReadingPosition.objects.get(reader=ana).read_at < timedelta(minutes=1)


def version(reader: User) -> tuple[str, str] | None:
    """Changes with every write and every lock of the row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ctid::text, xmax::text FROM feeds_readingposition WHERE reader_id = %s", [reader.pk])
        return cursor.fetchone()


class TestMark:
    def test_who_was_never_here_sees_none(self, ana, ben):
        write(ben, 3)
        assert visit(ana) == UnreadMark()
        assert visit(ana) == UnreadMark()

    def test_it_stands_below_what_came_since(self, ana, ben):
        old = write(ben, 2)
        visit(ana)
        later(ana, 40)
        write(ben, 2)
        assert visit(ana) == UnreadMark(before=old[-1].pk, count=2)
        assert visit(ana) == UnreadMark(before=old[-1].pk, count=2)  # for the whole visit

    def test_a_visit_without_news_has_none(self, ana, ben):
        write(ben, 2)
        visit(ana)
        later(ana, 40)
        assert visit(ana) == UnreadMark()

    def test_ones_own_posts_are_not_new(self, ana, ben):
        old = write(ben)[0]
        visit(ana)
        later(ana, 40)
        write(ana)
        assert visit(ana) == UnreadMark()
        write(ben)
        assert visit(ana) == UnreadMark(before=old.pk, count=1)

    def test_it_comes_on_the_page_where_the_new_ends(self, ana, ben):
        old = write(ben, 4)
        visit(ana)
        later(ana, 40)
        new = write(ben, 7)
        assert visit(ana) == UnreadMark(count=5, more=True)
        assert visit(ana, before=new[2].pk) == UnreadMark(before=old[-1].pk, count=2)
        assert visit(ana, before=old[-1].pk) == UnreadMark()

    def test_it_comes_first_where_the_page_before_was_all_new(self, ana, ben):
        old = write(ben, 2)
        visit(ana)
        later(ana, 40)
        new = write(ben, 5)
        assert visit(ana) == UnreadMark(count=5, more=True)
        assert visit(ana, before=new[0].pk) == UnreadMark(before=old[-1].pk)

    def test_further_pages_are_no_visit(self, ana, ben):
        posts = write(ben, 8)
        visit(ana)
        later(ana, 40)
        visit(ana, before=posts[3].pk)
        write(ben)
        assert visit(ana).count == 1

    def test_an_empty_timeline_is_no_harm(self, ana, ben):
        assert visit(ana) == UnreadMark()
        write(ben)
        later(ana, 40)
        assert visit(ana) == UnreadMark()


class TestPosition:
    def test_counts_the_unread_posts_of_others(self, ana, ben):
        post = write(ben, 3)[0]
        write(ana)
        do_set_position(reader=ana, seen=post.pk)
        found = position_of(ana)
        assert (found.newest_seen, found.unread_after, found.unread, found.more) == (post.pk, post.pk, 2, False)

    def test_of_who_never_visited_everything_is_unread(self, ana, ben):
        write(ben, 2)
        assert position_of(ana).unread == 2
        assert not ReadingPosition.objects.exists()

    def test_can_be_set_back(self, ana, ben):
        posts = write(ben, 3)
        visit(ana)
        do_set_position(reader=ana, seen=posts[0].pk)
        assert position_of(ana).unread == 2
        assert visit(ana) == UnreadMark(before=posts[0].pk, count=2)

    @pytest.mark.parametrize("beyond", [1, 2**63 - 1])
    def test_is_the_newest_post_at_most(self, ana, ben, beyond):
        newest = write(ben, 2)[-1]
        do_set_position(reader=ana, seen=min(newest.pk + beyond, 2**63 - 1))
        found = position_of(ana)
        assert (found.newest_seen, found.unread_after, found.unread) == (newest.pk, newest.pk, 0)
        write(ben)
        assert position_of(ana).unread == 1
        later(ana, 40)
        assert visit(ana).count == 1

    def test_where_there_is_no_post_nothing_was_seen(self, ana):
        do_set_position(reader=ana, seen=5)
        assert position_of(ana).newest_seen == 0
