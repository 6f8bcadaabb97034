from __future__ import annotations

import uuid

import pytest

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events.actions import EventInput, do_record_events
from recsys.events.reactions import Reaction, reactions

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana")


@pytest.fixture
def items() -> list[Item]:
    return [Item.objects.create(title=f"Item {number}") for number in range(3)]


def say(user: User, item: Item, kind: str, value: float | None = None) -> None:
    event = EventInput(event_id=str(uuid.uuid4()), user_id=user.pk, item_id=item.pk, kind=kind, value=value)
    do_record_events(events=[event], scope=f"user:{user.pk}")


def test_the_newest_word_counts(ana, items):
    for kind in ("like", "dislike"):
        say(ana, items[0], kind)
    for value in (2.0, 4.5):
        say(ana, items[0], "rate", value)
    say(ana, items[0], "view")
    assert reactions(ana.pk, [items[0].pk]) == {items[0].pk: Reaction("dislike", 4.5)}


def test_a_like_takes_back_a_hide_and_a_dislike_does_not(ana, items):
    for item in items[:2]:
        say(ana, item, "hide")
    say(ana, items[0], "like")
    say(ana, items[1], "dislike")
    found = reactions(ana.pk, [item.pk for item in items])
    assert found == {items[0].pk: Reaction("like"), items[1].pk: Reaction("dislike", hidden=True)}


def test_others_words_do_not_count(ana, items):
    say(User.objects.create_user("ben"), items[0], "like")
    assert reactions(ana.pk, [items[0].pk]) == {}


def test_a_page_takes_one_query_and_nothing_takes_none(ana, items, django_assert_num_queries):
    with django_assert_num_queries(1):
        reactions(ana.pk, [item.pk for item in items])
    with django_assert_num_queries(0):
        assert reactions(None, [1]) == {}
        assert reactions(ana.pk, []) == {}
