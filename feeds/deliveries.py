"""The record of what the fan-out did with each post, for staff and for "why is this here?"."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from feeds.models import Delivery

KEPT = timedelta(days=30)

# A post that was deleted meanwhile has no record; one that is being deleted is waited for. Nobody waits for the disk: a
# crash that takes this takes the end of the delivery too, which comes later, and so it comes again.
_NOTE = """
    INSERT INTO feeds_delivery (post_id, bucket, readers)
    SELECT p.item_id, %(bucket)s, brought.readers
    FROM (SELECT set_config('synchronous_commit', 'off', true)) quick
    CROSS JOIN unnest(%(posts)s::bigint[], %(readers)s::bigint[]) AS brought (post, readers)
    JOIN feeds_post p ON p.item_id = brought.post
    ORDER BY p.item_id FOR KEY SHARE OF p
    ON CONFLICT (post_id, bucket) DO UPDATE
    SET readers = feeds_delivery.readers + excluded.readers, last_at = statement_timestamp()
"""


def do_note_delivery(*, bucket: str, windows: Mapping[int, int]) -> None:
    """Add to the record into how many warm windows each post went. A chunk that runs twice counts twice."""
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {"posts": list(windows), "bucket": bucket, "readers": list(windows.values())}
        cursor.execute(_NOTE, parameters)


def do_drop_old_deliveries() -> int:
    """Forget what is older than KEPT; return how many records that were."""
    return Delivery.objects.filter(last_at__lt=timezone.now() - KEPT).delete()[0]
