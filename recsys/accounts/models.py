from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.urls import reverse

from recsys.outbox.capture import capture


class User(AbstractUser):
    """A person who reads, posts and is recommended to. Partners know them by `external_id`."""

    external_id = models.CharField(max_length=128, unique=True, null=True, blank=True)
    display_name = models.CharField(max_length=80, blank=True)
    bio = models.CharField(max_length=280, blank=True)
    region = models.CharField(
        max_length=16, blank=True, help_text="Region code such as GB or US-CA; empty means unknown."
    )
    is_private = models.BooleanField(
        "private account",
        default=False,
        db_default=False,
        help_text="Only approved followers see the posts.",
    )
    shows_presence = models.BooleanField(
        "shows when online",
        default=True,
        db_default=True,
        help_text="Followers see when they are online or write a reply. Who hides it does not see it of others either.",
    )

    class Meta(AbstractUser.Meta):
        db_table = "accounts_user"
        triggers = capture(
            topic="accounts.user",
            update_of=["is_private", "is_active", "shows_presence"],
            insert=False,
            delete=False,
        )

    @property
    def name(self) -> str:
        """What pages show: the display name, else the username."""
        return self.display_name or self.username

    def get_absolute_url(self) -> str:
        return reverse("profile", args=[self.username])
