from __future__ import annotations

from datetime import timedelta

import pytest

from recsys.accounts.models import User
from recsys.events import features
from recsys.events.features import hidden_items, recent_items, seen_items, user_history
from recsys.events.strength import AGAINST, CLICK, LIKE, VIEW, strength
from tests.catalog.makers import make_items, make_user
from tests.events.makers import did

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def recent(user: User) -> list[tuple[int, str, float]]:
    return [(one.item_id, one.kind, one.strength) for one in recent_items(user.pk)]


def test_recent_items_come_newest_first_and_each_once():
    ana, (first, second) = make_user(), make_items(2)
    did(ana, "view", first, second, ago=2 * MINUTE)
    did(ana, "click", first, ago=MINUTE)
    assert recent(ana) == [(first.pk, "click", CLICK), (second.pk, "view", VIEW)]


def test_the_strongest_event_speaks_for_an_item_until_there_is_a_verdict():
    ana, [item] = make_user(), make_items(1)
    did(ana, "click", item, ago=3 * MINUTE)
    did(ana, "view", item, ago=2 * MINUTE)
    assert recent(ana) == [(item.pk, "click", CLICK)]
    did(ana, "rate", item, value=3, ago=MINUTE)
    did(ana, "view", item)
    assert recent(ana) == [(item.pk, "rate", 1.0)]


@pytest.mark.parametrize("against", ["dislike", "hide"])
def test_what_was_spoken_against_is_hidden_and_not_recent(against):
    ana, [item] = make_user(), make_items(1)
    did(ana, "like", item, ago=2 * MINUTE)
    did(ana, against, item, ago=MINUTE)
    did(ana, "view", item)
    assert recent(ana) == []
    assert hidden_items(ana.pk) == {item.pk}
    assert seen_items(ana.pk) == {item.pk}


def test_a_later_like_takes_it_back():
    ana, [item] = make_user(), make_items(1)
    did(ana, "hide", item, ago=MINUTE)
    did(ana, "like", item)
    assert hidden_items(ana.pk) == frozenset()
    assert recent(ana) == [(item.pk, "like", LIKE)]


def test_a_bad_rating_speaks_against():
    ana, (bad, good) = make_user(), make_items(2)
    did(ana, "rate", bad, value=2)
    did(ana, "rate", good, value=5)
    assert hidden_items(ana.pk) == {bad.pk}
    assert recent(ana) == [(good.pk, "rate", 5.0)]


def test_nobody_elses_events_count():
    ana, ben, [item] = make_user(), make_user(), make_items(1)
    did(ben, "hide", item)
    assert user_history(ana.pk) == features.History(recent=[], seen=frozenset(), hidden=frozenset())


def test_what_was_hidden_long_ago_stays_hidden(monkeypatch):
    monkeypatch.setattr(features, "MAX_EVENTS", 3)
    ana, (hidden, taken_back, *others) = make_user(), make_items(6)
    did(ana, "hide", hidden, taken_back, ago=2 * MINUTE)
    did(ana, "like", taken_back, ago=MINUTE)
    did(ana, "view", *others)
    history = user_history(ana.pk)
    assert history.seen == {item.pk for item in others[-3:]}
    assert history.hidden == {hidden.pk}


def test_the_last_word_of_each_of_many_users_decides_in_one_query(django_assert_num_queries):
    ana, ben, (hidden, back, rated, seen) = make_user(), make_user(), make_items(4)
    did(ana, "hide", hidden, back, ago=MINUTE)
    did(ana, "like", back)
    did(ana, "view", hidden)
    did(ben, "rate", rated, value=1)
    did(ben, "view", hidden, seen)
    pairs = {(user.pk, item.pk) for user in (ana, ben) for item in (hidden, back, rated, seen)}
    with django_assert_num_queries(1):
        assert features.hidden_among(pairs) == {(ana.pk, hidden.pk), (ben.pk, rated.pk)}
    assert features.hidden_among([]) == set()


def test_takes_one_query_and_a_second_only_for_the_most_active(django_assert_num_queries, monkeypatch):
    ana, items = make_user(), make_items(5)
    did(ana, "view", *items)
    with django_assert_num_queries(1):
        user_history(ana.pk)
    monkeypatch.setattr(features, "MAX_EVENTS", 5)
    with django_assert_num_queries(2):
        user_history(ana.pk)


def test_the_limit_is_of_items():
    ana, items = make_user(), make_items(5)
    did(ana, "view", *items)
    assert [one.item_id for one in recent_items(ana.pk, limit=2)] == [items[4].pk, items[3].pk]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("view", None, VIEW),
        ("click", None, CLICK),
        ("like", None, LIKE),
        ("dislike", None, AGAINST),
        ("hide", None, AGAINST),
        ("rate", 5.0, 5.0),
        ("rate", 3.0, 1.0),
        ("rate", 2.5, AGAINST),
        ("rate", 0.5, AGAINST),
    ],
)
def test_strength_is_the_same_in_python_and_in_sql(kind, value, expected):
    from django.db import connection

    from recsys.events.strength import STRENGTH_SQL

    assert strength(kind, value) == expected
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT ({STRENGTH_SQL})::float8 FROM (VALUES (%s, %s::float8)) AS one (kind, value)", [kind, value]
        )
        assert cursor.fetchone()[0] == expected
