"""States that change often: at once, then paced, and the last change always."""

from __future__ import annotations

import pytest
from django.db import connection

from recsys.outbox import store
from recsys.outbox.actions import do_add_rows
from recsys.outbox.keys import PACE as PACE_KEY
from recsys.outbox.models import OutboxRow
from recsys.outbox.pacing import NOW, SETTLE, Pace
from recsys.outbox.rows import Child, Row

pytestmark = pytest.mark.django_db

PACE = Pace("t.state", seconds=30.0)


class Published(list[str]):
    def __call__(self, keys: list[str]) -> None:
        self.extend(keys)


def row(key: str, kind: str = SETTLE) -> Row:
    return Row("00000000-0000-0000-0000-000000000000", PACE.topic, key, kind, {})


def keys(children: list[Child]) -> list[str]:
    assert all((child.topic, child.every) == (PACE.topic, PACE.seconds) for child in children if child.type == SETTLE)
    return [child.key for child in children]


def end_span(valkey, key: str) -> None:
    valkey.delete(PACE_KEY.key(topic=PACE.topic, key=key))


def test_the_first_change_is_published_at_once_and_the_next_waits(valkey):
    published = Published()
    assert PACE.publish(["a", "b", "a"], published) == []
    assert published == ["a", "b"]
    waiting = PACE.publish(["b", "c"], published)
    assert published == ["a", "b", "c"]
    assert keys(waiting) == ["b"]
    assert waiting[0].type == SETTLE


def test_who_waited_is_published_when_the_span_is_over_and_waits_again_while_it_is_not(valkey):
    published = Published()
    PACE.publish(["a"], published)
    assert keys(PACE.run([row("a")], published)) == ["a"]
    end_span(valkey, "a")
    assert PACE.run([row("a"), row("a")], published) == []
    assert published == ["a", "a"]


def test_what_takes_long_is_asked_for_and_its_turn_is_not_lost(valkey):
    """The asking begins the span; the child that it made publishes within it."""
    first = PACE.ask(["a", "b"])
    assert [(child.key, child.type) for child in first] == [("a", NOW), ("b", NOW)]
    assert [(child.key, child.type) for child in PACE.ask(["a"])] == [("a", SETTLE)]
    published = Published()
    assert PACE.run([row("a", NOW), row("a"), row("b", NOW)], published) == []
    assert sorted(published) == ["a", "b"]


def test_an_old_state_that_came_on_top_of_a_newer_one_is_followed_by_another(valkey):
    """Whoever is slow finds that somebody else has begun to read since."""
    inner = Published()

    def slow(keys: list[str]) -> None:
        end_span(valkey, "a")
        assert PACE.publish(["a"], inner) == []

    assert keys(PACE.publish(["a"], slow)) == ["a"]
    assert inner == ["a"]


def test_who_is_slower_than_the_span_alone_publishes_once(valkey):
    published = Published()

    def slow(keys: list[str]) -> None:
        published(keys)
        end_span(valkey, "a")

    assert PACE.publish(["a"], slow) == []


def test_what_fails_to_be_published_comes_again(valkey):
    def fail(keys: list[str]) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        PACE.publish(["a"], fail)
    assert keys(PACE.publish(["a"], Published())) == ["a"], "its row is tried again, and leaves a child"


class TestChildrenOfASpan:
    def waiting(self) -> list[tuple[str, bool]]:
        """Each row's key, and whether it is due."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT aggregateid, leased_until <= statement_timestamp() FROM outbox ORDER BY 1")
            return cursor.fetchall()

    def test_there_is_one_of_a_key_however_many_ask(self):
        child = Child("t.state", "a", SETTLE, every=3600)
        do_add_rows([child, child])
        do_add_rows([child, Child("t.state", "b", SETTLE, every=3600)])
        assert self.waiting() == [("a", False), ("b", False)]
        assert store.lease(10) == []

    def test_it_is_due_at_the_end_of_the_span(self):
        do_add_rows([Child("t.state", "a", SETTLE, every=3600)])
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT extract(epoch FROM leased_until)::bigint % 3600, leased_until > statement_timestamp(),"
                " leased_until <= statement_timestamp() + interval '1 hour' FROM outbox"
            )
            assert cursor.fetchone() == (0, True, True)

    def test_the_next_span_has_another(self):
        """So that what changes while the first one is being handled is not lost with it."""
        do_add_rows([Child("t.state", "a", SETTLE, every=0.001)])
        do_add_rows([Child("t.state", "a", SETTLE, every=0.001)])
        assert OutboxRow.objects.count() == 2

    def test_children_without_a_span_are_due_now_and_are_as_many_as_ask(self):
        do_add_rows([Child("t.state", "a", SETTLE), Child("t.state", "a", SETTLE)])
        assert self.waiting() == [("a", True), ("a", True)]
