from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from recsys.catalog.models import Item


class InteractionKind(models.TextChoices):
    VIEW = "view"
    CLICK = "click"
    LIKE = "like"
    DISLIKE = "dislike"
    RATE = "rate"
    HIDE = "hide"


class Interaction(models.Model):
    """What one user did with one item at one time. Append-only; partitioned by `occurred_at` (see `partitions.py`).

    The database holds the foreign keys (with ON DELETE CASCADE), which is why Django's side of them does nothing.
    """

    captured = True  # by a trigger that its first migration holds: whoever writes wakes the relay

    pk = models.CompositePrimaryKey("occurred_at", "id")
    id = models.BigIntegerField(db_default=models.Func(models.Value("events_interaction_id"), function="nextval"))
    occurred_at = models.DateTimeField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, related_name="+", db_index=False)
    item = models.ForeignKey(Item, on_delete=models.DO_NOTHING, related_name="+", db_index=False)
    kind = models.CharField(max_length=8, choices=InteractionKind)
    value = models.FloatField(null=True, help_text="The rating, in half stars from 0.5 to 5, where kind is rate.")
    region = models.CharField(max_length=16, blank=True)
    recommendation_id = models.UUIDField(null=True)
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        # The first migration holds the SQL of this partitioned table, of its foreign keys and of its capture trigger.
        db_table = "events_interaction"
        indexes = [
            models.Index(
                fields=["user", "-occurred_at"], include=["item", "kind", "value"], name="interaction_user_newest"
            ),
            models.Index(fields=["item", "-occurred_at"], name="interaction_item"),
        ]


class EventReceipt(models.Model):
    """Proof that an event was stored, so that a repetition is not, whatever time it gives. Kept for a bounded time."""

    scope = models.CharField(max_length=40, help_text="Who chose the event_id: user:<id> or client:<id>.")
    event_id = models.CharField(max_length=64)
    received_at = models.DateTimeField(db_default=Now())

    pk = models.CompositePrimaryKey("scope", "event_id")

    class Meta:
        indexes = [models.Index(fields=["received_at"], name="receipt_received")]


class ItemHeat(models.Model):
    """An exponentially decayed counter for an item in a region ("" is everywhere).

    `heat` is log2(weighted count) + t / half-life, t in seconds since 2020: decay moves all rows alike, so the order
    never changes by itself, nothing needs to be rewritten as time passes, and an index serves the ranking.
    """

    pk = models.CompositePrimaryKey("region", "item_id")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+")
    region = models.CharField(max_length=16, blank=True)
    heat = models.FloatField()
    total = models.BigIntegerField(default=0, help_text="Undecayed count of positive interactions.")

    class Meta:
        indexes = [
            models.Index(fields=["region", "-heat"], name="itemheat_region_heat"),
            models.Index(fields=["region", "-total"], name="itemheat_region_total"),
        ]
