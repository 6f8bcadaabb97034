from __future__ import annotations

from celery import shared_task

from feeds.audit_runs import do_audit_sample
from feeds.deliveries import do_drop_old_deliveries
from feeds.notify import do_drop_old_notifications
from feeds.rebuild import do_rebuild_after_loss


@shared_task(name="feeds.audit_timelines")
def audit_timelines() -> None:
    """Audit the timelines of some readers. Twice at a time only looks twice."""
    do_audit_sample()


@shared_task(name="feeds.drop_old_notifications")
def drop_old_notifications() -> None:
    """Delete notifications that are too old to be shown. Does nothing where there are none."""
    do_drop_old_notifications()


@shared_task(name="feeds.rebuild_after_loss")
def rebuild_after_loss() -> None:
    """Begin to rebuild windows where Valkey has lost them. Twice at a time fills them twice."""
    do_rebuild_after_loss()


@shared_task(name="feeds.prune_deliveries")
def prune_deliveries() -> None:
    """Delete old records of deliveries."""
    do_drop_old_deliveries()
