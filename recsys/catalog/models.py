from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from pgvector.django import HalfVectorField, HnswIndex

from recsys.outbox.capture import capture

CONTENT_DIMENSIONS = 128


class Item(models.Model):
    """Anything that can be recommended: a film, a product, a track, or a post (`feeds.Post` extends it one-to-one)."""

    external_id = models.CharField(max_length=128, unique=True, null=True, blank=True)
    kind = models.CharField(max_length=32, default="item", help_text="film, product, post, track, …")
    title = models.CharField(max_length=300)
    description = models.TextField(blank=True, max_length=10_000)
    category = models.CharField(max_length=100, blank=True)
    tags = ArrayField(models.CharField(max_length=100), default=list, blank=True, size=50)
    regions = ArrayField(
        models.CharField(max_length=16),
        default=list,
        blank=True,
        size=50,
        help_text="Where it may be shown; empty: everywhere.",
    )
    url = models.URLField(max_length=1000, blank=True)
    image_url = models.URLField(max_length=1000, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text="Who made it. Nobody is recommended their own.",
    )
    is_available = models.BooleanField(default=True, help_text="Unavailable items are never recommended.")
    is_withheld = models.BooleanField(
        default=False,
        db_default=False,
        editable=False,
        help_text="Not for everybody (a post for followers only, say): kept true by the app whose things these are.",
    )
    published_at = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(fields=["kind", "-published_at"], name="item_kind_published"),
            GinIndex(fields=["tags"], name="item_tags"),
            # The words of titles, for those who look for something by name. Nobody looks for a post that way.
            GinIndex(SearchVector("title", config="simple"), name="item_title_words", condition=~models.Q(kind="post")),
        ]
        triggers = capture(
            topic="catalog.item",
            update_of=["title", "description", "category", "tags", "is_available", "is_withheld", "kind"],
        )

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("item", args=[self.pk])


class ContentVector(models.Model):
    """An item's place in the content space (unit length, cosine by inner product), made of its words by a text model.

    Each model version has a partition of its own with its own HNSW index: a new version is loaded beside the serving
    one, and whoever reads by version always finds all of it. The database holds the foreign key (ON DELETE CASCADE).
    """

    pk = models.CompositePrimaryKey("item_id", "model_version")
    item = models.ForeignKey(Item, on_delete=models.DO_NOTHING, related_name="+", db_index=False)
    model_version = models.BigIntegerField()
    vector = HalfVectorField(dimensions=CONTENT_DIMENSIONS)

    class Meta:
        indexes = [
            HnswIndex(
                fields=["vector"],
                name="content_vector_hnsw",
                m=16,
                ef_construction=64,
                opclasses=["halfvec_ip_ops"],
            ),
        ]
