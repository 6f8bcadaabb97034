from __future__ import annotations

from django.db import models
from django.db.models.functions import Now, NullIf


class OutboxRow(models.Model):
    """A committed change that a handler has yet to act on. Triggers (`capture.py`) write it, application code never.

    The first five columns are what Debezium's outbox event router expects. A row is due when `leased_until` has passed:
    a new row at once, a failed one after its back-off. Its handler deletes it.
    """

    id = models.UUIDField(primary_key=True, db_default=models.Func(function="gen_random_uuid"))
    aggregatetype = models.CharField(max_length=64, help_text="The topic, which names the handler.")
    aggregateid = models.CharField(max_length=64)
    type = models.CharField(max_length=16, help_text="insert, update, delete, or what a parent row asked for.")
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now())
    attempts = models.PositiveSmallIntegerField(db_default=0)
    leased_until = models.DateTimeField(db_default=Now())
    parked_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, db_default="")
    # The database fills it in, so that the capture triggers need not know of it (see correlation.py).
    request_id = models.TextField(
        null=True,
        blank=True,
        db_default=NullIf(
            models.Func(models.Value("tributary.request_id"), models.Value(True), function="current_setting"),
            models.Value(""),
        ),
    )

    class Meta:
        db_table = "outbox"
        verbose_name = "outbox row"
        indexes = [
            models.Index(
                fields=["aggregatetype", "leased_until"],
                condition=models.Q(parked_at__isnull=True),
                name="outbox_due_by_topic",
            ),
            models.Index(fields=["parked_at"], condition=models.Q(parked_at__isnull=False), name="outbox_parked"),
        ]

    def __str__(self) -> str:
        return f"{self.aggregatetype} {self.type} {self.aggregateid}"
