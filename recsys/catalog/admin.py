from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from recsys.catalog.actions import check_item, do_delete_item, do_set_availability
from recsys.catalog.models import ContentVector, Item
from recsys.catalog.secrecy import may_read_withheld
from recsys.console import BaseAdmin, PlainDeletionMixin, add_input_errors
from recsys.inputs import InputError

CHECKED = (
    "external_id", "title", "kind", "description", "category", "tags", "regions", "url", "image_url", "attributes",
    "is_available", "published_at",
)  # fmt: skip
POST = "post"


class ItemForm(forms.ModelForm):
    """Obeys the rules of the API: one `check_item` for all ways in."""

    def clean_attributes(self) -> dict[str, Any]:
        return {} if self.cleaned_data["attributes"] is None else self.cleaned_data["attributes"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        given = {name: cleaned[name] for name in CHECKED if cleaned.get(name) is not None}
        if self.errors or "title" not in self.fields:
            return cleaned
        try:
            # Items that staff add need no id of a partner; the check does, so it gets one.
            checked = check_item({**given, "external_id": given.get("external_id") or "none"})
        except InputError as error:
            add_input_errors(self, error)
            return cleaned
        return {**cleaned, "tags": list(checked.tags), "regions": list(checked.regions), "kind": checked.kind}


@admin.register(Item)
class ItemAdmin(PlainDeletionMixin, BaseAdmin):
    form = ItemForm
    goes_with = "all interactions, counters and vectors of it"
    list_display = ["title", "kind", "category", "external_id", "is_available", "published_at"]
    list_filter = ["is_available", "kind"]
    search_fields = ["title", "external_id", "category"]
    autocomplete_fields = ["creator"]
    readonly_fields = ["created_at", "updated_at", "vectors", "activity"]
    actions = ["make_available", "make_unavailable"]
    ordering = ["-pk"]
    fieldsets = [
        (None, {"fields": ["external_id", "kind", "title", "description", "category", "tags", "regions"]}),
        ("Serving", {"fields": ["is_available", "published_at", "vectors", "activity"]}),
        ("Details", {"fields": ["url", "image_url", "attributes", "creator", "created_at", "updated_at"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Item]:
        items = super().get_queryset(request)
        return items if may_read_withheld(request.user) else items.exclude(is_withheld=True)

    def get_readonly_fields(self, request: HttpRequest, obj: Item | None = None) -> list[str]:
        """The words of a post are its author's."""
        is_post = obj is not None and obj.kind == POST
        words = [name for name in [*CHECKED, "creator"] if name not in ("is_available", "published_at")]
        return [*self.readonly_fields, *(words if is_post else [])]

    @admin.display(description="Vectors")
    def vectors(self, item: Item) -> str:
        versions = ContentVector.objects.filter(item=item.pk).order_by("model_version")
        known = ", ".join(str(version) for version in versions.values_list("model_version", flat=True))
        return f"In the content space of model {known}" if known else "None: no content model has placed it yet."

    @admin.display(description="What people did with it")
    def activity(self, item: Item) -> str:
        return format_html('<a href="{}?item={}">interactions</a>', reverse("admin:events_interactions"), item.pk)

    def save_model(self, request: HttpRequest, obj: Item, form: forms.ModelForm, change: bool) -> None:
        obj.updated_at = timezone.now()
        super().save_model(request, obj, form, change)

    def log_change(self, request: HttpRequest, obj: Item, message: Any) -> LogEntry:
        return super().log_change(request, _without_words(obj), message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Item]) -> list[LogEntry]:
        told = [_without_words(item) for item in queryset]
        return super().log_deletions(request, cast("QuerySet[Item]", told))

    def delete_model(self, request: HttpRequest, obj: Item) -> None:
        do_delete_item(item=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Item]) -> None:
        for item in queryset:
            do_delete_item(item=item)

    @admin.action(description="Make selected items available", permissions=["change"])
    def make_available(self, request: HttpRequest, queryset: QuerySet[Item]) -> None:
        self._set_availability(request, queryset, is_available=True)

    @admin.action(description="Make selected items unavailable", permissions=["change"])
    def make_unavailable(self, request: HttpRequest, queryset: QuerySet[Item]) -> None:
        self._set_availability(request, queryset, is_available=False)

    def _set_availability(self, request: HttpRequest, queryset: QuerySet[Item], *, is_available: bool) -> None:
        count = do_set_availability(items=queryset, is_available=is_available)
        word = "available" if is_available else "unavailable: no recommendation shows them from now on"
        self.message_user(request, f"{count} changed to {word}.", messages.SUCCESS)


def _without_words(item: Item) -> Item:
    """For the history, which outlives a post and must not hold its words."""
    if item.kind != POST:
        return item
    author = f", whose author is user {item.creator_id}" if item.creator_id else ""
    return Item(pk=item.pk, title=f"post {item.pk}{author}")
