from __future__ import annotations

from celery import shared_task

from recsys.events.actions import do_prune_receipts
from recsys.events.partitions import drop_expired, ensure_coming_partitions


@shared_task(name="events.maintain_partitions")
def maintain_partitions() -> None:
    """Make coming partitions and drop expired ones. Does nothing where there is nothing to do."""
    ensure_coming_partitions()
    drop_expired()


@shared_task(name="events.prune_receipts")
def prune_receipts() -> None:
    """Delete the receipts of events that nobody repeats any more."""
    do_prune_receipts()
