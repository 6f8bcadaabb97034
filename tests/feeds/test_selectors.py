"""Reading pages: their cost, their seams, and what happens when Valkey is away."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext, override_settings

from feeds import selectors, timelines
from feeds.actions import do_create_post, do_delete_post, do_repost
from feeds.graph import do_follow
from feeds.models import AuthorOverride, Mute, Post
from feeds.selectors import author_page, home_timeline
from feeds.subscriptions import timeline_streams
from feeds.timelines import author_list, home, read_windows
from realtime import streams
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.outbox.testing import drain
from tests.feeds.graph import all_pages, let_follow, make_people, shown, truth
from tests.kept import Kept

pytestmark = pytest.mark.django_db


def make_community() -> list[User]:
    """A reader who follows twelve authors, of whom three are pulled; each has five posts, in turns."""
    reader, *authors = people = make_people(13)
    let_follow([reader], authors)
    AuthorOverride.objects.bulk_create([AuthorOverride(author=author, mode="pull") for author in authors[:3]])
    for _ in range(5):
        for author in authors:
            do_create_post(author=author, text="hello")
    drain()
    return people


@pytest.fixture(scope="module")
def _kept_community(django_db_setup: None, django_db_blocker: Any) -> Kept[list[User]]:
    with django_db_blocker.unblock():
        return Kept(make_community, is_remembered=True)


@pytest.fixture
def community(_kept_community: Kept[list[User]], db: None) -> list[User]:
    return _kept_community.put_back()


def queries_of(function, *arguments, **options) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        function(*arguments, **options)
    return len(captured)


class TestCost:
    def test_a_warm_page_takes_two_queries_and_a_cold_one_four(self, community):
        assert queries_of(home_timeline, reader=community[0]) == 4
        assert queries_of(home_timeline, reader=community[0]) == 2

    def test_a_page_beyond_the_windows_takes_three(self, community, monkeypatch):
        monkeypatch.setattr(timelines, "CAPACITY", 10)
        home_timeline(reader=community[0])
        oldest = min(truth(community[0]))
        assert queries_of(home_timeline, reader=community[0], before=oldest + 20) == 3

    def test_it_does_not_grow_with_follows_and_posts(self, community, drain_outbox):
        reader = community[0]
        more = make_people(100, "more")
        let_follow([reader], more)
        AuthorOverride.objects.bulk_create([AuthorOverride(author=author, mode="pull") for author in more[:30]])
        for author in more:
            do_create_post(author=author, text="hello")
        drain_outbox()
        assert queries_of(home_timeline, reader=reader) == 4
        assert queries_of(home_timeline, reader=reader) == 2
        assert queries_of(all_pages, reader, 100) == 2 * 2

    def test_the_author_of_each_post_is_there(self, community, django_assert_num_queries):
        posts = home_timeline(reader=community[0]).posts
        with django_assert_num_queries(0):
            assert all(post.author.name for post in posts)

    def test_a_second_reader_finds_the_authors_lists_filled(self, community):
        home_timeline(reader=community[0])
        other = User.objects.create(username="other")
        let_follow([other], community[1:])
        assert queries_of(home_timeline, reader=other) == 3

    def test_filling_reads_a_bounded_number_of_posts_of_each_author(self, community, monkeypatch):
        reader = community[0]
        monkeypatch.setattr(selectors, "LEAST_DEPTH", 2)
        monkeypatch.setattr(selectors, "SCANNED", 1)
        expected = truth(reader)
        assert all_pages(reader, 7) == expected
        assert all_pages(reader, 7) == expected
        (window,) = read_windows([home(reader.pk)], before=None, limit=100).values()
        assert window.floor > 0
        assert len(window.posts) < 45


class TestPages:
    @pytest.mark.parametrize("capacity", [1, 7, 800])
    def test_follow_one_another_without_a_seam(self, community, monkeypatch, capacity):
        monkeypatch.setattr(timelines, "CAPACITY", capacity)
        reader, expected = community[0], truth(community[0])
        assert len(expected) == 60
        for limit in (4, 1, 20, 59, 60, 100):
            assert all_pages(reader, limit) == expected

    def test_stay_right_while_posts_arrive_and_disappear(self, community, drain_outbox):
        reader, expected = community[0], truth(community[0])
        first = home_timeline(reader=reader, limit=10)
        do_create_post(author=community[5], text="new")
        for post in Post.objects.filter(pk__in=[expected[9], expected[10]]):
            do_delete_post(post=post, by=post.author)
        drain_outbox()
        second = home_timeline(reader=reader, before=first.next_before, limit=10)
        assert [post.pk for post in second.posts] == expected[11:21]

    def test_are_full_although_much_of_the_window_is_gone(self, community):
        reader, expected = community[0], truth(community[0])
        home_timeline(reader=reader)
        for post in Post.objects.filter(pk__in=expected[2:45]):
            do_delete_post(post=post, by=post.author)
        page = home_timeline(reader=reader, limit=15)
        assert [post.pk for post in page.posts] == [*expected[:2], *expected[45:58]]
        assert page.next_before == expected[57]

    @pytest.mark.parametrize(("asked", "got"), [(0, 1), (-5, 1), (7, 7), (1000, 60)])
    def test_have_a_length_within_bounds(self, community, asked, got):
        assert len(home_timeline(reader=community[0], limit=asked).posts) == got

    def test_below_the_first_post_are_empty(self, community):
        page = home_timeline(reader=community[0], before=min(truth(community[0])))
        assert (page.posts, page.next_before) == ([], None)

    def test_of_a_reader_who_follows_nobody_have_their_own_posts(self, drain_outbox):
        (reader,) = make_people(1)
        assert shown(reader) == []
        post = do_create_post(author=reader, text="hello")
        assert shown(reader) == [post.pk], "at once"
        drain_outbox()
        assert shown(reader) == [post.pk]

    def test_hide_who_was_deactivated(self, community):
        author = community[4]
        home_timeline(reader=community[0])
        User.objects.filter(pk=author.pk).update(is_active=False)
        assert all_pages(community[0], 20) == truth(community[0])
        assert len(truth(community[0])) == 55

    def test_show_imported_posts_that_no_fan_out_ever_saw(self, community, valkey):
        """Capture was off, so their mode stays open: filling a window takes them in."""
        Post.objects.update(mode=None)
        valkey.flushdb()
        assert all_pages(community[0], 20) == truth(community[0])

    def test_are_found_by_author_for_everybody(self, community, django_assert_num_queries):
        author = community[1]
        expected = list(Post.objects.filter(author=author).order_by("-pk").values_list("pk", flat=True))
        with django_assert_num_queries(1):
            first = author_page(author=author, reader=None, limit=3)
        assert [post.pk for post in first.posts] == expected[:3]
        rest = author_page(author=author, reader=community[0], before=first.next_before, limit=3)
        assert ([post.pk for post in rest.posts], rest.next_before) == (expected[3:], None)


class TestOrder:
    def test_a_post_that_commits_late_takes_its_place(self, community, drain_outbox):
        """Ids are drawn before the commit: a smaller one may become visible after a larger one was read."""
        reader, author, other = community[0], community[5], community[6]
        early = Item.objects.create(kind="post", title="drawn first", creator=author)
        late = do_create_post(author=other, text="committed first")
        drain_outbox()
        assert shown(reader, limit=1) == [late.pk]
        Post.objects.create(item=early, author=author, text="committed last")
        drain_outbox()
        assert shown(reader, limit=2) == [late.pk, early.pk]

    def test_one_below_the_windows_floor_is_found_in_sql(self, community, drain_outbox, monkeypatch):
        monkeypatch.setattr(timelines, "CAPACITY", 4)
        reader, author = community[0], community[5]
        early = Item.objects.create(kind="post", title="drawn first", creator=author)
        for _ in range(6):
            do_create_post(author=community[6], text="later")
        drain_outbox()
        home_timeline(reader=reader)
        Post.objects.create(item=early, author=author, text="committed last")
        drain_outbox()
        assert all_pages(reader, 3) == truth(reader)

    def test_own_words_on_their_way_show_below_reposts_that_do_not(self, community, monkeypatch):
        monkeypatch.setattr(selectors, "SPARE", 0)
        reader, author = community[0], community[5]
        assert shown(reader, limit=2) == truth(reader)[:2]
        post = do_create_post(author=reader, text="hello")
        for shown_already in author.posts.order_by("-pk")[:3]:
            do_repost(user=reader, post=shown_already)
        assert shown(reader, limit=2)[0] == post.pk
        assert shown(reader, limit=2) == truth(reader)[:2]


def away() -> override_settings:
    """A context in which Valkey cannot be reached."""
    return override_settings(REDIS_URL="unix:///nonexistent/valkey.sock")


class TestValkeyAway:
    def test_pages_come_from_sql_and_say_so(self, community, caplog):
        reader, expected = community[0], truth(community[0])
        before = selectors.SERVED.labels("sql")._value.get()
        with away():
            page = home_timeline(reader=reader)
            assert all_pages(reader, 7) == expected
        assert [post.pk for post in page.posts] == expected[:20]
        assert page.position == "", "no live updates to go on from"
        assert selectors.SERVED.labels("sql")._value.get() > before
        assert "timeline_from_sql" in caplog.text

    def test_what_was_missed_meanwhile_is_delivered_afterwards(self, community, drain_outbox):
        reader = community[0]
        home_timeline(reader=reader)
        with away():
            post = do_create_post(author=community[5], text="hello")
            with pytest.raises(Exception, match="nonexistent"):
                drain_outbox()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE outbox SET leased_until = now()")
        drain_outbox()
        assert shown(reader, limit=1) == [post.pk]

    def test_its_lost_memory_shows_nowhere(self, community, valkey):
        reader, expected = community[0], truth(community[0])
        assert all_pages(reader, 9) == expected
        valkey.flushdb()
        assert all_pages(reader, 9) == expected

    def test_losing_some_windows_and_keeping_others_shows_nowhere(self, community, valkey):
        reader, expected = community[0], truth(community[0])
        assert all_pages(reader, 9) == expected
        valkey.delete(author_list(community[1].pk).name, author_list(community[2].pk).name)
        assert all_pages(reader, 9) == expected
        valkey.delete(home(reader.pk).name)
        assert all_pages(reader, 9) == expected


def test_following_many_pulled_authors_stays_within_one_position(drain_outbox, monkeypatch):
    from feeds import subscriptions

    monkeypatch.setattr(subscriptions, "MAX_STREAMS", 3)
    reader, *authors = make_people(6)
    for author in authors:
        do_follow(follower=reader, followee=author)
        AuthorOverride.objects.create(author=author, mode="pull")
        do_create_post(author=author, text="hello")
    drain_outbox()
    page = home_timeline(reader=reader)
    assert len(page.posts) == 5
    assert page.position.count("~") == 2
    assert not streams.read(subscriptions.timeline_streams([reader.pk])[reader.pk], page.position).resync


@pytest.mark.parametrize("author", [1, 5], ids=["pull", "push"])
def test_what_is_written_while_a_page_is_read_comes_after_its_position(community, drain_outbox, monkeypatch, author):
    reader, written = community[0], []
    read = selectors._from_windows

    def overtaken(*arguments):
        posts = read(*arguments)
        written.append(do_create_post(author=community[author], text="meanwhile").pk)
        drain_outbox()
        return posts

    monkeypatch.setattr(selectors, "_from_windows", overtaken)
    page = home_timeline(reader=reader)
    recovery = streams.read(timeline_streams([reader.pk])[reader.pk], page.position)
    assert not recovery.resync
    assert [event["post"] for event in recovery.events] == written


class TestTag:
    def test_a_window_is_tagged_with_the_graph_that_its_posts_are_for(self, drain_outbox, monkeypatch, valkey):
        """Muted just before the window is filled, and unmuted after: the graph is what it was, the window is not."""
        reader, author = make_people(2)
        let_follow([reader], [author])
        post = do_create_post(author=author, text="hello")
        drain_outbox()
        original = timelines.open_windows

        def mute_meanwhile(keys, **options):
            Mute.objects.create(muter=reader, muted=author)
            return original(keys, **options)

        monkeypatch.setattr(timelines, "open_windows", mute_meanwhile)
        home_timeline(reader=reader)
        monkeypatch.undo()
        Mute.objects.all().delete()
        assert shown(reader) == [post.pk]


def test_prepared_queries_stay_right_when_postgresql_plans_them_no_more(community, monkeypatch, drain_outbox):
    """Kept connections prepare the queries of a page and of a fan-out; from the sixth time on, for any parameters. A
    savepoint that is rolled back between takes nothing of that along.
    """
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 60)
    with connection.cursor() as cursor:  # whatever PostgreSQL takes the tables' sizes to be
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    reader, author = community[0], community[1]
    for number in range(8):
        do_create_post(author=author, text=f"post {number}")
        do_create_post(author=reader, text=f"mine {number}")
        if number == 1:  # psycopg then prepares them all anew
            with transaction.atomic(), suppress(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        drain_outbox()
        for one in (reader, author):
            assert all_pages(one, 20) == truth(one)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE generic_plans > 0")
        assert cursor.fetchone()[0] >= 3  # the graph, the page and the followers
