"""Writes of what users did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.catalog.secrecy import hidden
from recsys.events.inputs import EventInput, check_event, occurred_at_fault
from recsys.events.models import EventReceipt
from recsys.events.partitions import ensure_partitions
from recsys.inputs import FieldError, InputError

__all__ = ["EventInput", "RecordResult", "check_event", "do_prune_receipts", "do_record_events"]

PRUNE_CHUNK = 10_000

# In the order of the key, so that two batches of one sender cannot deadlock.
_RECEIPTS = """
INSERT INTO events_eventreceipt (scope, event_id)
SELECT %s, sent.event_id FROM unnest(%s::text[]) AS sent (event_id) ORDER BY 2
ON CONFLICT DO NOTHING RETURNING event_id
"""
_INTERACTIONS = """
INSERT INTO events_interaction (occurred_at, user_id, item_id, kind, value, region, recommendation_id)
SELECT sent.occurred_at, sent.user_id, sent.item_id, sent.kind, sent.value, coalesce(sent.region, who.region),
       sent.recommendation_id
FROM unnest(%s::timestamptz[], %s::bigint[], %s::bigint[], %s::text[], %s::float8[], %s::text[], %s::uuid[])
     AS sent (occurred_at, user_id, item_id, kind, value, region, recommendation_id)
JOIN accounts_user who ON who.id = sent.user_id
"""


@dataclass(frozen=True)
class RecordResult:
    """How many events of a batch were stored, and how many had been stored before."""

    accepted: int
    duplicates: int


def do_record_events(*, events: Sequence[EventInput], scope: str) -> RecordResult:
    """Store `events` once each, all or none.

    `scope` says whose names the event_ids are (`user:<id>`, `client:<id>`): within it an event_id is stored once,
    whatever else a repetition says. InputError names every new event whose user, item or time cannot be accepted: an
    item that is hidden from its user (see catalog/secrecy.py) is none.
    """
    now = datetime.now(UTC)
    dated = [event if event.occurred_at else replace(event, occurred_at=now) for event in events]
    if not dated:
        return RecordResult(0, 0)
    first = {event.event_id: event for event in reversed(dated)}
    known = _receipts(scope, list(first))
    new = {event_id: event for event_id, event in first.items() if event_id not in known}
    indices = {event.event_id: index for index, event in reversed(list(enumerate(dated)))}
    _refuse_faulty({indices[event_id]: event for event_id, event in new.items()}, now)
    moments = [event.occurred_at for event in new.values() if event.occurred_at]
    if not moments:
        return RecordResult(accepted=0, duplicates=len(events))
    ensure_partitions(min(moments), max(moments), now=now)
    try:
        fresh = _store(new, scope)
    except IntegrityError:
        # A user or item that was deleted since we looked.
        _refuse_faulty({indices[event_id]: event for event_id, event in new.items()}, now)
        raise
    return RecordResult(accepted=fresh, duplicates=len(events) - fresh)


def _receipts(scope: str, event_ids: Sequence[str]) -> set[str]:
    """Which of these events were stored before."""
    found = EventReceipt.objects.filter(scope=scope, event_id__in=event_ids)
    return set(found.values_list("event_id", flat=True))


@transaction.atomic
def _store(events: Mapping[str, EventInput], scope: str) -> int:
    """Store those of `events` (by event_id) that have no receipt yet; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_RECEIPTS, [scope, list(events)])
        fresh = [events[event_id] for (event_id,) in cursor.fetchall()]
        if fresh:
            cursor.execute(_INTERACTIONS, _columns(fresh))
    return len(fresh)


def do_prune_receipts(*, now: datetime | None = None) -> int:
    """Delete the receipts that are past their retention, in chunks; return how many.

    A repetition is recognised for that long. It is at least as long as senders may retry.
    """
    before = (now or datetime.now(UTC)) - timedelta(days=settings.EVENT_RECEIPT_RETENTION_DAYS)
    total = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM events_eventreceipt WHERE (scope, event_id) IN ("
                "SELECT scope, event_id FROM events_eventreceipt WHERE received_at < %s LIMIT %s)",
                [before, PRUNE_CHUNK],
            )
            total += cursor.rowcount
            if cursor.rowcount < PRUNE_CHUNK:
                return total


def _refuse_faulty(events: Mapping[int, EventInput], now: datetime) -> None:
    """InputError that names every fault of `events`, given by their index in what was sent."""
    users = set(User.objects.filter(pk__in={event.user_id for event in events.values()}).values_list("pk", flat=True))
    items = set(Item.objects.filter(pk__in={event.item_id for event in events.values()}).values_list("pk", flat=True))
    unseen = hidden({(event.user_id, event.item_id) for event in events.values()})
    errors = []
    for index, event in sorted(events.items()):
        if event.user_id not in users:
            errors.append(FieldError(f"[{index}].user", f"There is no user {event.user_id}. Send the user first."))
        if event.item_id not in items or (event.user_id, event.item_id) in unseen:
            said = f"There is no item {event.item_id} that this user may see. Send the item first, or leave this out."
            errors.append(FieldError(f"[{index}].item", said))
        if event.occurred_at and (message := occurred_at_fault(event.occurred_at, now)):
            errors.append(FieldError(f"[{index}].occurred_at", message))
    if errors:
        raise InputError(errors)


def _columns(events: Sequence[EventInput]) -> list[list[object]]:
    return [
        [event.occurred_at for event in events],
        [event.user_id for event in events],
        [event.item_id for event in events],
        [event.kind for event in events],
        [event.value for event in events],
        [event.region for event in events],
        [event.recommendation_id for event in events],
    ]
