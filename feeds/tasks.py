from __future__ import annotations

from celery import shared_task

from feeds.audit_runs import do_audit_sample


@shared_task(name="feeds.audit_timelines")
def audit_timelines() -> None:
    """Audit the timelines of some readers. Twice at a time only looks twice."""
    do_audit_sample()
