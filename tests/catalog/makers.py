"""Short ways to the rows that many tests need."""

from __future__ import annotations

import itertools
from typing import Any

from recsys.accounts.models import User
from recsys.catalog.models import Item

_numbers = itertools.count(1)


def make_user(**fields: Any) -> User:
    number = next(_numbers)
    return User.objects.create(**{"username": f"user{number}", "external_id": f"user{number}", **fields})


def make_item(title: str = "", **fields: Any) -> Item:
    number = next(_numbers)
    return Item.objects.create(**{"title": title or f"Item {number}", "external_id": f"item{number}", **fields})


def make_items(count: int, **fields: Any) -> list[Item]:
    return [make_item(**fields) for _ in range(count)]
