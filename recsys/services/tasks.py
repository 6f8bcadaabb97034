from __future__ import annotations

from celery import shared_task

from recsys.services.panel import do_tell_panels


@shared_task(name="services.tell_panels")
def tell_panels() -> None:
    """Tell open operations panels to look again. Twice only looks twice; does nothing where nobody looks."""
    do_tell_panels()
