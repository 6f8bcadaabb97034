"""From how many followers on posts are pulled: the form of the one policy."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from feeds.models import FanoutPolicy
from feeds.policy import get_policy
from recsys.console import ChronicleAdmin, lines

RECENT_CHANGES = 20


class PolicyForm(forms.ModelForm):
    class Meta:
        model = FanoutPolicy
        fields = ["celebrity_threshold", "lower_bound"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        upper, lower = cleaned.get("celebrity_threshold"), cleaned.get("lower_bound")
        if upper is not None and lower is not None and lower > upper:
            self.add_error("lower_bound", f"The lower bound cannot be above the threshold ({upper:,}).")
        return cleaned


@admin.register(FanoutPolicy)
class FanoutPolicyAdmin(ChronicleAdmin):
    """The one row: its list is its form."""

    form = PolicyForm
    fields = ["celebrity_threshold", "lower_bound", "changes"]
    readonly_fields = ["changes"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: FanoutPolicy | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:feeds_fanoutpolicy_change", args=[get_policy().pk]))

    @admin.display(description="Who changed what")
    def changes(self, policy: FanoutPolicy) -> str:
        entries = LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(FanoutPolicy), object_id=str(policy.pk)
        ).select_related("user")
        said = [
            f"{entry.action_time:%Y-%m-%d %H:%M} UTC, {entry.user}: {entry.get_change_message()}"
            for entry in entries.order_by("-action_time")[:RECENT_CHANGES]
        ]
        return lines(said) if said else "Nobody has changed it yet."
