"""Whose items are left out of slates, on the word of a rule from above."""

from __future__ import annotations

import pytest

from recsys.catalog.models import Item
from recsys.recommend import creators, engine
from recsys.recommend.creators import register, unwanted_creators
from tests.catalog.makers import make_item, make_user
from tests.events.makers import did
from tests.recommend.conftest import settle

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_rules(monkeypatch) -> None:
    monkeypatch.setattr(creators, "_rules", [])


def test_of_each_rule_and_of_the_reader():
    for people in ({7}, {8, 9}):
        register(lambda user, people=people: frozenset(people | {user + 100}))
    assert unwanted_creators(1) == {1, 7, 8, 9, 101}
    assert unwanted_creators(None) == frozenset()


def test_a_rule_registered_twice_is_asked_once():
    asked = []

    def rule(user: int) -> frozenset[int]:
        asked.append(user)
        return frozenset()

    register(rule)
    register(rule)
    unwanted_creators(5)
    assert asked == [5]


@pytest.mark.parametrize("surface", ["for_you", "trending", "similar"])
def test_their_items_come_in_no_slate(surface):
    ana, ben, cy, fan = (make_user() for _ in range(4))
    theirs, others = make_item("theirs"), make_item("others")
    for item, creator in ((theirs, ben), (others, cy)):
        Item.objects.filter(pk=item.pk).update(creator=creator)
    did(fan, "like", theirs, others)
    settle()
    subject = make_item("subject")

    def shown(user) -> set[int]:
        if surface == "similar":
            slate = engine.similar(item=subject, user=user)
        elif surface == "trending":
            slate = engine.trending(region="", user=user)
        else:
            slate = engine.recommend(user=user, region="")
        return {entry.item.pk for entry in slate.entries} - {subject.pk}

    assert shown(ana) == {theirs.pk, others.pk}
    register(lambda user: frozenset({ben.pk}) if user == ana.pk else frozenset())
    assert shown(ana) == {others.pk}
    assert shown(None) == {theirs.pk, others.pk}
