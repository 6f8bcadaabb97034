"""How partners name things: by their own `external_id`, or by `id:<number>`, which every item and user has.

What people make in the pages (posts, accounts) has no external id, and is still recommended; hence the second form. In
an address either form is percent-encoded like any other text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar

from django.db.models import Model
from django.urls import register_converter
from rest_framework.exceptions import NotFound

from recsys.accounts.models import User
from recsys.catalog.models import Item

M = TypeVar("M", bound=Model)

LONGEST = 128
RESERVED = "id:"
SUBRESOURCES = (  # patterns of what may follow a name
    "recommendations", "similar", "realtime-token",
    "timeline", "timeline/position", "timeline/why", "posts", "bookmarks",
    "follows", "followers", "follow-requests", "follow-requests/sent", "blocks", "mutes", "suggestions",
    "lists", "lists/[0-9]+", "lists/[0-9]+/timeline", "lists/[0-9]+/members",
    "notifications", "notifications/seen", "notifications/read", "notifications/people",
    "notifications/preferences",
)  # fmt: skip
_NUMBER = re.compile(rf"{RESERVED}([0-9]{{1,18}})", re.ASCII)


class NameConverter:
    """Takes a name out of an address, slashes and all, up to one of SUBRESOURCES at the end."""

    regex = rf"(?:(?!/(?:{'|'.join(SUBRESOURCES)})\Z)[\s\S])+"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(NameConverter, "name")


def find_item(name: str) -> Item:
    """The item of that name; NotFound that says so where there is none, or where it is not for everybody."""
    item = _find(Item, name, "item")
    if item.is_withheld:
        raise _unknown(name, "item")
    return item


def find_user(name: str, *, active: bool = True) -> User:
    """The user of that name, of those who are active unless told otherwise; NotFound where there is none."""
    user = _find(User, name, "user")
    if active and not user.is_active:
        raise _unknown(name, "user")
    return user


def find_ids(model: type[Item] | type[User], names: Iterable[object]) -> dict[str, int]:
    """The primary keys of those `names` that exist, in at most two queries. What could not be a name is passed over."""
    texts = {name for name in names if isinstance(name, str) and _possible(name)}
    numbers = {int(found[1]): name for name in texts if (found := _NUMBER.fullmatch(name))}
    externals = texts - set(numbers.values())
    manager = model._default_manager
    known = manager.filter(external_id__in=externals).values_list("external_id", "pk") if externals else ()
    by_number = manager.filter(pk__in=numbers).values_list("pk", flat=True) if numbers else ()
    return {str(name): pk for name, pk in known} | {numbers[pk]: pk for pk in by_number}


def _find(model: type[M], name: str, what: str) -> M:
    number = _NUMBER.fullmatch(name)
    lookup = {"pk": int(number[1])} if number else {"external_id": name}
    found = model._default_manager.filter(**lookup).first() if _possible(name) else None
    if found is None:
        raise _unknown(name, what)
    return found


def _possible(name: str) -> bool:
    return 0 < len(name) <= LONGEST and "\0" not in name and not re.search("[\ud800-\udfff]", name)


def _unknown(name: str, what: str) -> NotFound:
    return NotFound(f"There is no {what} {name[:LONGEST]!r}. Send it to /api/v1/{what}s first, or check the spelling.")
