from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class Surface(models.TextChoices):
    FOR_YOU = "for_you", "For you"
    SIMILAR = "similar", "Similar items"
    TRENDING = "trending", "Trending"


class Experiment(models.Model):
    """A question put to the users of one surface: each sees one variant, decided by a hash of `salt` and their id."""

    class Status(models.TextChoices):
        DRAFT = "draft"
        RUNNING = "running"
        STOPPED = "stopped"

    key = models.SlugField(max_length=64, unique=True)
    description = models.TextField(blank=True)
    surface = models.CharField(
        max_length=32, choices=Surface, default=Surface.FOR_YOU, help_text="Where it steers serving."
    )
    status = models.CharField(max_length=8, choices=Status, default=Status.DRAFT, editable=False)
    salt = models.CharField(
        max_length=64, blank=True, help_text="Changing it deals the users anew; empty means the key."
    )
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, editable=False)
    stopped_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return self.key


class Variant(models.Model):
    """One answer. `parameters` override serving's own, for instance {"weights": {"cf": 1.0, "trending": 0.2}}."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="variants")
    key = models.SlugField(max_length=64)
    weight = models.PositiveIntegerField(default=1, help_text="Share of users, relative to the others.")
    parameters = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["experiment", "key"], name="variant_key_once")]

    def __str__(self) -> str:
        return self.key


class Exposure(models.Model):
    """A user was first served a variant at `first_at`."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="exposures")
    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="exposures")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    first_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["experiment", "user"], name="exposure_once")]
