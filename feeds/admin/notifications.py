"""What somebody was told, for the support of people who ask why, or why not."""

from __future__ import annotations

from django.contrib import admin

from feeds.models import Notification
from recsys.console import ReadOnlyAdmin


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = ["recipient", "kind", "actor", "post", "created_at", "seen_at", "read_at"]
    list_filter = ["kind"]
    list_select_related = ["recipient", "actor", "post"]
    search_fields = ["recipient__username__exact"]
    search_help_text = "The whole username of the person who was told."
    ordering = ["-id"]
    fields = ["recipient", "kind", "actor", "post", "created_at", "seen_at", "read_at"]
