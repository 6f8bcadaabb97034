from __future__ import annotations

from celery import shared_task

from feeds.audit_runs import do_audit_sample
from feeds.notify import do_drop_old_notifications


@shared_task(name="feeds.audit_timelines")
def audit_timelines() -> None:
    """Audit the timelines of some readers. Twice at a time only looks twice."""
    do_audit_sample()


@shared_task(name="feeds.drop_old_notifications")
def drop_old_notifications() -> None:
    """Delete notifications that are too old to be shown. Does nothing where there are none."""
    do_drop_old_notifications()
