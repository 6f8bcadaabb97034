"""What staff do with parked rows, and rows that no change of a table has written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db.models.functions import Now

from recsys.outbox import store
from recsys.outbox.models import OutboxRow
from recsys.outbox.rows import Child
from recsys.outbox.wakeup import nudge


def do_retry_rows(ids: Iterable[UUID | str]) -> int:
    """Make parked rows due at once, with all their attempts before them; return how many there were."""
    count = OutboxRow.objects.filter(pk__in=list(ids), parked_at__isnull=False).update(
        parked_at=None, attempts=0, leased_until=Now(), last_error=""
    )
    nudge()
    return count


def do_discard_rows(ids: Iterable[UUID | str]) -> int:
    """Delete parked rows for good: what they would have led to does not happen. Return how many there were."""
    count, _ = OutboxRow.objects.filter(pk__in=list(ids), parked_at__isnull=False).delete()
    return count


def do_add_rows(rows: Sequence[Child]) -> None:
    """Hand jobs to their handlers in the order of their places, with the certainty that captured changes have."""
    store.add_children(rows, None)
    if rows:
        nudge()
