"""A short way to interactions."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events.actions import EventInput, do_record_events

_numbers = itertools.count(1)


def did(user: User, kind: str, *items: Item, value: float | None = None, ago: timedelta = timedelta(0)) -> None:
    """Let `user` do something with each of `items`, one after the other, the last one `ago`."""
    last = datetime.now(UTC) - ago
    events = [
        EventInput(
            event_id=f"made{next(_numbers)}",
            user_id=user.pk,
            item_id=item.pk,
            kind=kind,
            value=value,
            occurred_at=last - timedelta(milliseconds=len(items) - place),
        )
        for place, item in enumerate(items, start=1)
    ]
    do_record_events(events=events, scope="test")
