"""What the navigation of every page shows of the feeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from django.http import HttpRequest

from feeds.notifications import COUNTED, unread_count
from recsys.accounts.requests import reader


@dataclass(frozen=True, slots=True)
class Unseen:
    """A number for the badge in the navigation."""

    count: int

    def __bool__(self) -> bool:
        return bool(self.count)

    @property
    def number(self) -> str:
        return f"{COUNTED - 1}+" if self.count >= COUNTED else str(self.count)

    @property
    def words(self) -> str:
        return f"{self.number} new"


def unseen_notifications(request: HttpRequest) -> dict[str, Callable[[], Unseen]]:
    """How many notifications the reader has not seen, counted only by pages that show it."""

    @cache
    def count() -> Unseen:
        user = reader(request)
        return Unseen(unread_count(user) if user else 0)

    return {"unseen_notifications": count}
