"""Authors: what the fan-out knows about them, and staff's word on one of them."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from feeds.models import AuthorOverride, AuthorStats, FanoutPolicy
from feeds.policy import do_delete_overrides, do_save_override, expected_mode
from recsys.console import ChronicleAdmin, ReadOnlyAdmin, recent_changes


@admin.register(AuthorOverride)
class AuthorOverrideAdmin(ChronicleAdmin):
    list_display = ["author", "mode", "reason"]
    list_filter = ["mode"]
    list_select_related = ["author"]
    search_fields = ["author__username", "author__display_name", "reason"]
    autocomplete_fields = ["author"]
    fields = ["author", "mode", "reason", "changes"]
    readonly_fields = ["changes"]

    def get_readonly_fields(self, request: HttpRequest, obj: AuthorOverride | None = None) -> list[str]:
        """The author is the key: another author is another override."""
        return [*self.readonly_fields, "author"] if obj else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: AuthorOverride, form: forms.ModelForm, change: bool) -> None:
        do_save_override(author=obj.author, mode=obj.mode, reason=obj.reason)

    def delete_model(self, request: HttpRequest, obj: AuthorOverride) -> None:
        do_delete_overrides(authors=[obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AuthorOverride]) -> None:
        do_delete_overrides(authors=list(queryset.values_list("pk", flat=True)))


@admin.register(AuthorStats)
class AuthorStatsAdmin(ReadOnlyAdmin):
    list_display = ["author", "follower_count", "is_celebrity", "has_pull_posts", "next_mode", "override_link"]
    list_filter = ["is_celebrity", "has_pull_posts"]
    list_select_related = ["author"]
    search_fields = ["author__username", "author__display_name"]
    ordering = ["-follower_count"]
    fields = [
        "author",
        "follower_count",
        "is_celebrity",
        "has_pull_posts",
        "next_mode",
        "override_link",
        "override_changes",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuthorStats]:
        override = AuthorOverride.objects.filter(author=OuterRef("author")).values("mode")
        policy = FanoutPolicy.objects.filter(pk=1)
        return (
            super()
            .get_queryset(request)
            .annotate(
                override=Subquery(override),
                upper=Subquery(policy.values("celebrity_threshold")),
                lower=Subquery(policy.values("lower_bound")),
            )
        )

    @admin.display(description="Mode of the next post")
    def next_mode(self, stats: AuthorStats) -> str:
        upper, lower = stats.upper, stats.lower  # type: ignore[attr-defined]
        return expected_mode(
            follower_count=stats.follower_count,
            is_celebrity=stats.is_celebrity,
            override=stats.override,  # type: ignore[attr-defined]
            policy=FanoutPolicy() if upper is None else FanoutPolicy(celebrity_threshold=upper, lower_bound=lower),
        )

    @admin.display(description="Override")
    def override_link(self, stats: AuthorStats) -> str:
        if stats.override:  # type: ignore[attr-defined]
            url = reverse("admin:feeds_authoroverride_change", args=[stats.pk])
            return format_html('<a href="{}">{}</a>', url, stats.override)  # type: ignore[attr-defined]
        url = reverse("admin:feeds_authoroverride_add")
        return format_html('<a href="{}?author={}">add</a>', url, stats.pk)

    @admin.display(description="Who changed the override")
    def override_changes(self, stats: AuthorStats) -> str:
        """The past of an override that has been deleted has its place here only."""
        return recent_changes(AuthorOverride, stats.pk)
