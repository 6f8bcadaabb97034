from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now


class ApiClient(models.Model):
    """A partner's system that calls the REST API."""

    name = models.CharField(max_length=100, unique=True)
    is_active = models.BooleanField(default=True, help_text="The keys of an inactive client are refused.")
    requests_per_minute = models.PositiveIntegerField(default=6000, validators=[MinValueValidator(1)])
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "API client"
        constraints = [
            models.CheckConstraint(condition=models.Q(requests_per_minute__gte=1), name="client_has_an_allowance"),
        ]

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """A credential of a client, of which only the SHA-256 is kept (see `credentials.py`)."""

    class Scope(models.TextChoices):
        READ = "read"
        WRITE = "write"

    client = models.ForeignKey(ApiClient, on_delete=models.CASCADE, related_name="keys")
    prefix = models.CharField(
        max_length=12, unique=True, help_text="The key's public beginning, by which staff recognise it."
    )
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope), default=list)
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(scopes__contained_by=["read", "write"]) & ~models.Q(scopes=[]), name="key_has_scopes"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}…"
