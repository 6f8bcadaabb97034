"""What an event may look like when it comes from outside, and the check that it does."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from recsys.accounts.regions import normalise_region
from recsys.catalog.inputs import check_moment
from recsys.events.models import InteractionKind
from recsys.events.partitions import EARLIEST, retention_start
from recsys.inputs import FieldError, InputError, text_fault

MAX_AHEAD = timedelta(days=1)
FIELDS = ("event_id", "user", "item", "kind", "value", "occurred_at", "region", "recommendation_id")


@dataclass(frozen=True)
class EventInput:
    """One thing that a user did with an item; `event_id` is the sender's own name for it."""

    event_id: str
    user_id: int
    item_id: int
    kind: str
    value: float | None = None
    occurred_at: datetime | None = None  # None: now
    region: str | None = None  # None: the user's own
    recommendation_id: uuid.UUID | None = None


def check_event(
    data: object, *, users: Mapping[str, int], items: Mapping[str, int], history: bool = False
) -> EventInput:
    """Return what `data` describes; `users` and `items` give the ids of the names that it may use.

    `history` accepts events from before retention, which imports bring (see `partitions.drop_expired`). Without it the
    bounds of the time are left to `do_record_events`, which knows whether the event is a repetition: one is recognised
    whatever time it gives. InputError names every fault in it.
    """
    if not isinstance(data, Mapping):
        raise InputError([FieldError("", "An event must be a JSON object with event_id, user, item and kind.")])
    check = _EventCheck(data)
    kind = check.kind()
    event = EventInput(
        event_id=check.text("event_id", 64),
        user_id=check.known("user", users, "Send the user first."),
        item_id=check.known("item", items, "Send the item first."),
        kind=kind,
        value=check.value(kind),
        occurred_at=check.occurred_at(history),
        region=check.region(),
        recommendation_id=check.recommendation_id(),
    )
    if check.errors:
        raise InputError(check.errors)
    return event


class _EventCheck:
    """Reads fields out of one mapping and gathers what is wrong with them."""

    def __init__(self, data: Mapping[Any, Any]) -> None:
        self.data = data
        self.errors: list[FieldError] = []
        for name in [name for name in data if name not in FIELDS][:20]:
            shown = str(name)[:40].encode("ascii", "backslashreplace").decode()
            self.fault(shown, f"There is no such field. The fields are: {', '.join(FIELDS)}.")

    def fault(self, name: str, message: str) -> None:
        self.errors.append(FieldError(name, message))

    def text(self, name: str, longest: int) -> str:
        value = self.data.get(name)
        if message := text_fault("" if value is None else value, longest=longest, required=True):
            self.fault(name, message)
            return ""
        return str(value)

    def known(self, name: str, ids: Mapping[str, int], remedy: str) -> int:
        value = self.text(name, 128)
        if value and value not in ids:
            self.fault(name, f"There is no {name} {value!r}. {remedy}")
        return ids.get(value, 0)

    def kind(self) -> str:
        value = self.data.get("kind")
        if value not in InteractionKind.values:
            self.fault("kind", f"This must be one of {', '.join(InteractionKind.values)}.")
            return ""
        return str(value)

    def value(self, kind: str) -> float | None:
        value = self.data.get("value")
        if kind != InteractionKind.RATE:
            if value is not None and kind:
                self.fault("value", f"Only a rate event has a value; leave it out of a {kind} event.")
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_rating(value):
            self.fault("value", "A rate event needs its rating here: 0.5, 1, 1.5 … up to 5.")
            return None
        return float(value)

    def occurred_at(self, history: bool = False) -> datetime | None:
        given = self.data.get("occurred_at")
        if given is None:
            return None
        moment = check_moment(given)
        if moment is None:
            self.fault("occurred_at", "This must be a date and time such as 2026-01-31T12:00:00Z, or left out for now.")
        elif history and (message := occurred_at_fault(moment, history=True)):
            self.fault("occurred_at", message)
        return moment

    def region(self) -> str | None:
        value = self.data.get("region")
        if value is None:
            return None
        if message := text_fault(value, longest=60):
            self.fault("region", message)
            return None
        try:
            return normalise_region(value)
        except ValueError as error:
            self.fault("region", str(error))
            return None

    def recommendation_id(self) -> uuid.UUID | None:
        value = self.data.get("recommendation_id")
        if value in (None, ""):
            return None
        try:
            return uuid.UUID(value)
        except (ValueError, AttributeError, TypeError):
            self.fault("recommendation_id", "This must be the recommendation_id of a slate, or be left out.")
            return None


def occurred_at_fault(moment: datetime, now: datetime | None = None, *, history: bool = False) -> str | None:
    """Say what is wrong with the time of an event that was sent now, or (`history`) is imported; None if nothing is."""
    now = now or datetime.now(UTC)
    if moment > now + MAX_AHEAD:
        return "This is more than a day ahead of now; check the sender's clock."
    if history:
        return "This is before 1970." if moment < EARLIEST else None
    if moment < retention_start(now):
        return f"Events from before {retention_start(now):%Y-%m-%d} are not kept; import them as history instead."
    return None


def _is_rating(value: float) -> bool:
    return 0.5 <= value <= 5  # false for NaN too
