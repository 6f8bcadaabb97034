"""The auditor: what it must find, and every interleaving in which it must not cry wolf."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from feeds import audit, timelines
from feeds.actions import do_create_post, do_delete_post
from feeds.audit import DRIFTS, SURPLUS, Findings, audit_readers
from feeds.graph import do_follow, do_unfollow
from feeds.models import AuthorOverride, Mute, Post
from feeds.selectors import home_timeline
from feeds.timelines import author_list, home, peek_windows
from recsys.accounts.models import User
from recsys.outbox import store
from recsys.outbox.handlers import execute
from recsys.outbox.testing import drain
from tests.feeds.graph import let_follow, lose, make_people, shown

pytestmark = pytest.mark.django_db


def audited(*readers: User, **options) -> Findings:
    findings = Findings()
    for so_far in audit_readers([reader.pk for reader in readers], **options):
        findings = so_far
    return findings


@contextmanager
def undone(valkey, reader: User) -> Iterator[None]:
    """Takes back what the block has done, and warms the windows again."""
    point = transaction.savepoint()
    yield
    transaction.savepoint_rollback(point)
    valkey.flushdb()
    home_timeline(reader=reader)


def found(findings: Findings) -> set[tuple[str, str, tuple[int, ...]]]:
    return {(drift.kind, drift.window.name, drift.posts) for drift in findings.drifts}


@pytest.fixture(params=["push", "pull"])
def mode(request) -> str:
    return request.param


@pytest.fixture
def people(drain_outbox, mode) -> list[User]:
    """A reader, the author whom they follow, who has three posts, and a stranger. The windows are warm."""
    people = make_people(3)
    let_follow(people[:1], people[1:2])
    for person in people[1:]:
        AuthorOverride.objects.create(author=person, mode=mode)
        for _ in range(3):
            do_create_post(author=person, text="hello")
    drain_outbox()
    home_timeline(reader=people[0])
    return people


@pytest.fixture
def key(people, mode):
    """The window through which the author's posts come to the reader."""
    return home(people[0].pk) if mode == "push" else author_list(people[1].pk)


class TestFinding:
    def test_warm_windows_that_hold_what_they_must_are_no_drift(self, people, mode):
        findings = audited(people[0], pages=1)
        assert (findings.readers, findings.windows, findings.pages) == (1, 1 if mode == "push" else 2, 1)
        assert found(findings) == set()
        assert (findings.waiting, findings.surplus) == (0, 0)

    def test_a_post_that_a_window_lost_is_missing(self, people, key):
        lost = shown(people[0])[1]
        lose(key, [lost])
        assert ("missing", key.name, (lost,)) in found(audited(people[0]))
        assert lost not in shown(people[0])

    def test_a_page_that_differs_from_sql_is_drift_too(self, people, key):
        lost = shown(people[0])[0]
        lose(key, [lost])
        findings = audited(people[0], pages=1)
        assert ("page", home(people[0].pk).name, (lost,)) in found(findings)
        assert findings.kinds == {"missing": 1, "page": 1}

    def test_history_written_past_the_fan_out_is_missing(self, people, key, mode):
        do_create_post(author=people[1], text="smuggled")
        smuggled = Post.objects.latest("pk")
        Post.objects.filter(pk=smuggled.pk).update(mode=mode)
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM outbox")
        assert found(audited(people[0])) == {("missing", key.name, (smuggled.pk,))}

    def test_a_post_of_ones_own_counts(self, people, drain_outbox):
        mine = do_create_post(author=people[0], text="mine")
        drain_outbox()
        lose(home(people[0].pk), [mine.pk])
        assert found(audited(people[0])) == {("missing", home(people[0].pk).name, (mine.pk,))}

    def test_a_deleted_post_is_surplus_and_no_drift(self, people):
        gone = Post.objects.get(pk=shown(people[0])[0])
        do_delete_post(post=gone, by=people[1])
        findings = audited(people[0], pages=1)
        assert findings.surplus == 1
        assert not findings.drifts

    def test_a_window_for_another_graph_is_not_compared(self, people, mode):
        do_follow(follower=people[0], followee=people[2])
        findings = audited(people[0], pages=1)
        assert (findings.outdated, findings.pages, found(findings)) == (1, 0, set())

    def test_an_authors_list_is_compared_once_for_all_who_read_it(self, people, monkeypatch, mode):
        other = make_people(1, "other")[0]
        let_follow([other], [people[1]])
        home_timeline(reader=other)
        monkeypatch.setattr(audit, "BATCH", 1)
        assert audited(people[0], other).windows == (2 if mode == "push" else 3)

    def test_cold_readers_cost_no_more_than_the_look(self, people):
        with CaptureQueriesContext(connection) as captured:
            assert audited(people[2], pages=1).windows == 0
        assert len(captured) <= 1

    def test_the_number_of_queries_does_not_grow_with_readers(self, people, mode):
        more = make_people(20, "more")
        let_follow(more, [people[1]])
        for reader in more:
            home_timeline(reader=reader)
        with CaptureQueriesContext(connection) as captured:
            assert audited(people[0], *more).readers == 21
        assert len(captured) == (2 if mode == "pull" else 1)


class TestLooking:
    def test_it_neither_prolongs_nor_fills_what_it_looks_at(self, people, key, valkey):
        valkey.expire(key.name, 1000)
        audited(people[0], people[2], pages=2)
        assert valkey.ttl(key.name) <= 1000
        assert not valkey.exists(home(people[2].pk).name)

    def test_a_window_that_is_being_filled_is_left_alone(self, people):
        timelines.drop_windows([home(people[0].pk)])
        timelines.open_windows([home(people[0].pk)])
        assert audited(people[0], pages=1, repair=DRIFTS).windows == 0


class TestRepair:
    def test_a_wrong_window_is_dropped_and_exact_when_it_is_read_next(self, people, key):
        lost = shown(people[0])[1]
        lose(key, [lost])
        assert audited(people[0], repair=DRIFTS).repaired == 1
        assert lost in shown(people[0])
        assert not audited(people[0], pages=1).drifts

    def test_without_it_nothing_is_touched(self, people, key):
        lose(key, [shown(people[0])[1]])
        audited(people[0], pages=1)
        assert key in peek_windows([key])
        assert audited(people[0]).drifts

    def test_surplus_stays_unless_it_is_asked_for(self, people, key):
        do_delete_post(post=Post.objects.get(pk=shown(people[0])[0]), by=people[1])
        assert audited(people[0], repair=DRIFTS).repaired == 0
        assert audited(people[0], repair={SURPLUS}).repaired == 1
        home_timeline(reader=people[0])
        assert audited(people[0]).surplus == 0


class TestOnTheWay:
    def test_a_post_whose_row_waits(self, people, drain_outbox):
        do_create_post(author=people[1], text="new")
        findings = audited(people[0], pages=1)
        assert (findings.drifts, findings.pages) == ([], 0)
        drain_outbox()
        assert audited(people[0], pages=1).waiting == 0

    def test_a_post_whose_chunks_wait(self, people, drain_outbox, monkeypatch, mode):
        monkeypatch.setattr("feeds.audience.CHUNK", 1)
        let_follow(make_people(3, "more"), people[1:2])
        drain_outbox()
        do_create_post(author=people[1], text="new")
        for row in store.lease(10):
            execute(row.topic, [row])
        findings = audited(people[0], pages=1)
        assert not findings.drifts
        assert findings.waiting == (1 if mode == "push" else 0)

    def test_a_post_whose_row_is_parked_is_told_apart(self, people, key, mode):
        post = do_create_post(author=people[1], text="new")
        Post.objects.filter(pk=post.pk).update(mode=mode)
        rows = store.lease(10)
        store.park([row.id for row in rows], "no")
        assert found(audited(people[0], pages=1)) == {("parked", key.name, (post.pk,))}


CHANGES = ("deliver", "delete", "refill", "unfollow", "follow again", "mute", "lose memory", "trim", "new post")
LOOKS = 10  # at SQL or Valkey, for one reader and a page


class TestInterleavings:
    """Something happens before any of the auditor's looks at SQL and Valkey."""

    @pytest.fixture
    def before_look(self, monkeypatch):
        """Lets a function run before the nth look, and counts them."""
        looks, planned = [0], {}

        def watched(function):
            def wrapped(*arguments, **options):
                looks[0] += 1
                if happen := planned.pop(looks[0], None):
                    happen()
                return function(*arguments, **options)

            return wrapped

        for module, name in ((timelines, "peek_windows"), (audit, "_truth"), (audit, "waiting_posts")):
            monkeypatch.setattr(module, name, watched(getattr(module, name)))

        def plan(look, happen):
            looks[0] = 0
            planned.clear()
            planned[look] = happen
            return looks

        return plan

    @pytest.mark.parametrize("change", CHANGES)
    def test_around_a_post_that_is_on_its_way(self, people, before_look, change, valkey):
        """Nothing is drift, whatever becomes of it."""
        for look in range(1, LOOKS + 1):
            with undone(valkey, people[0]):
                post = do_create_post(author=people[1], text="new")
                before_look(look, lambda post=post: self.change(change, people, post, valkey))
                assert found(audited(people[0], pages=1)) == set(), f"before look {look}"

    @pytest.mark.parametrize("change", CHANGES)
    def test_around_one_that_the_window_has_lost(self, people, before_look, change, valkey, key):
        """It is told, unless it has become right; and nothing else is. The looks are as many as these tests think."""
        for look in range(1, LOOKS + 1):
            with undone(valkey, people[0]):
                post = Post.objects.get(pk=shown(people[0])[1])
                lose(key, [post.pk])
                before_look(look, lambda post=post: self.change(change, people, post, valkey))
                told = {(kind, posts) for kind, _, posts in found(audited(people[0], pages=1))}
                assert told <= {("missing", (post.pk,)), ("page", (post.pk,))}
                assert told or look <= 8

    def change(self, name, people, post, valkey):
        reader, author, _ = people
        if name == "deliver":
            drain()
        elif name == "delete":
            do_delete_post(post=post, by=author)
            drain()
            self.change("refill", people, post, valkey)
        elif name == "refill":
            timelines.drop_windows([home(reader.pk), author_list(author.pk)])
            home_timeline(reader=reader)
        elif name == "unfollow":
            do_unfollow(follower=reader, followee=author)
            drain()
        elif name == "follow again":
            do_unfollow(follower=reader, followee=author)
            drain()
            do_follow(follower=reader, followee=author)
        elif name == "mute":
            Mute.objects.create(muter=reader, muted=author)
            home_timeline(reader=reader)
        elif name == "lose memory":
            valkey.flushdb()
        elif name == "trim":
            with mock.patch.multiple(timelines, CAPACITY=1, SLACK=0):
                drain()
        else:
            do_create_post(author=author, text="and another")
            drain()
