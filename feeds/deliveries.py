"""The record of what the fan-out did with each post, for staff and for "why is this here?"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from feeds.models import Delivery

KEPT = timedelta(days=30)

# A post that was deleted meanwhile has no record; one that is being deleted is waited for.
_NOTE = """
    INSERT INTO feeds_delivery (post_id, bucket, readers)
    SELECT item_id, %(bucket)s, %(readers)s FROM feeds_post WHERE item_id = ANY(%(posts)s)
    ORDER BY item_id FOR KEY SHARE
    ON CONFLICT (post_id, bucket) DO UPDATE
    SET readers = feeds_delivery.readers + excluded.readers, last_at = statement_timestamp()
"""


def do_note_delivery(*, posts: Sequence[int], bucket: str, readers: int) -> None:
    """Add to the record that posts went to so many readers. A chunk that runs twice counts twice."""
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, {"posts": list(posts), "bucket": bucket, "readers": readers})


def do_drop_old_deliveries() -> int:
    """Forget what is older than KEPT; return how many records that were."""
    return Delivery.objects.filter(last_at__lt=timezone.now() - KEPT).delete()[0]
