from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events.heat import rebuild_heat
from recsys.outbox.models import OutboxRow
from recsys.recommend.serving import factor_model, text_model
from recsys.recommend.training import train_cf, train_content
from tests.catalog.makers import make_item, make_user
from tests.events.makers import did
from tests.kept import Kept

WORDS = {"crime": ["detective", "heist", "gangster", "police"], "love": ["wedding", "romance", "kiss", "letters"]}


@dataclass
class Community:
    """Two tastes: whoever likes crime likes crime alone. `ana` has done nothing yet."""

    ana: User
    crime: list[Item]
    love: list[Item]
    crime_fans: list[User]
    love_fans: list[User]

    @property
    def items(self) -> list[Item]:
        return self.crime + self.love


def settle() -> None:
    """As if every change so far had been handled."""
    OutboxRow.objects.all().delete()
    rebuild_heat()


def make_community(fans: int = 15, items: int = 20, each: int = 8) -> Community:
    draw = random.Random(5)
    shelves = {
        taste: [
            make_item(
                f"{taste}-{number}",
                kind="film",
                description=" ".join(draw.choices(words, k=6)),
                tags=[words[number % 4]],
            )
            for number in range(items)
        ]
        for taste, words in WORDS.items()
    }
    people = {taste: [make_user(region="GB") for _ in range(fans)] for taste in shelves}
    for taste, fans_of_it in people.items():
        for fan in fans_of_it:
            did(fan, "like", *draw.sample(shelves[taste][:-2], each))  # the last two are unknown to everybody
    settle()
    return Community(make_user(region="GB"), shelves["crime"], shelves["love"], people["crime"], people["love"])


def make_trained() -> Community:
    site = make_community()
    train_content()
    train_cf()
    return site


@pytest.fixture(scope="session")
def _kept_community(django_db_setup: None, django_db_blocker: Any) -> Kept[Community]:
    with django_db_blocker.unblock():
        return Kept(make_community)


@pytest.fixture(scope="session")
def _kept_trained(django_db_setup: None, django_db_blocker: Any) -> Kept[Community]:
    with django_db_blocker.unblock():
        return Kept(make_trained)


@pytest.fixture
def community(_kept_community: Kept[Community], db: None) -> Community:
    return _kept_community.put_back()


@pytest.fixture
def trained(_kept_trained: Kept[Community], db: None) -> Community:
    # The versions are those of the test before, which may have damaged them.
    factor_model.cache_clear()
    text_model.cache_clear()
    return _kept_trained.put_back()
