from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from django.db import connection

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events.heat import rebuild_heat
from recsys.outbox.models import OutboxRow
from recsys.recommend.training import train_cf, train_content
from tests.catalog.makers import make_item, make_user
from tests.events.makers import did

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


@pytest.fixture
def community(db: None) -> Community:
    return make_community()


@pytest.fixture
def trained(community: Community) -> Community:
    train_content()
    train_cf()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
    return community
