from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from pgvector.django import HalfVectorField, HnswIndex

from recsys.catalog.models import Item
from recsys.outbox.capture import capture

FACTOR_DIMENSIONS = 64


class ModelVersion(models.Model):
    """One trained model. `artefact` is an npz (never a pickle); the one with status `serving` of its kind is used."""

    class Status(models.TextChoices):
        CANDIDATE = "candidate"
        SERVING = "serving"
        RETIRED = "retired"

    kind = models.CharField(max_length=16, help_text="cf or content.")
    status = models.CharField(max_length=9, choices=Status, default=Status.CANDIDATE)
    trained_at = models.DateTimeField(db_default=Now())
    metrics = models.JSONField(default=dict, blank=True)
    artefact = models.BinaryField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind"], condition=models.Q(status="serving"), name="one_serving_model_per_kind"
            ),
        ]
        triggers = capture(topic="recommend.model", update_of=["status"], insert=False, delete=False)

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class FactorVector(models.Model):
    """An item's factors in a matrix factorisation; a user's vector is folded in from these at request time.

    Partitioned by model version as `ContentVector` is.
    """

    pk = models.CompositePrimaryKey("item_id", "model_version")
    item = models.ForeignKey(Item, on_delete=models.DO_NOTHING, related_name="+", db_index=False)
    model_version = models.BigIntegerField()
    vector = HalfVectorField(dimensions=FACTOR_DIMENSIONS)

    class Meta:
        indexes = [
            HnswIndex(
                fields=["vector"], name="factor_vector_hnsw", m=16, ef_construction=64, opclasses=["halfvec_ip_ops"]
            ),
        ]


class Slate(models.Model):
    """What was recommended to whom and why. Pruned by age (see `tasks.py`)."""

    recommendation_id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    surface = models.CharField(max_length=32)
    region = models.CharField(max_length=16, blank=True)
    entries = models.JSONField(help_text="Per item: item, source, anchor, score, scores by source, propensity, reason.")
    trace = models.JSONField(
        default=dict, help_text="served_by, sources left out and why, model versions, variants, milliseconds."
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(fields=["created_at"], name="slate_created"),
            models.Index(fields=["user", "-created_at"], name="slate_user_created"),
        ]

    def __str__(self) -> str:
        return f"{self.surface} {self.recommendation_id}"
