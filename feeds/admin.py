from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import Truncator

from feeds.actions import do_delete_post
from feeds.models import AuthorOverride, AuthorStats, FanoutPolicy, Post
from feeds.policy import expected_mode, get_policy
from recsys.accounts.models import User
from recsys.console import ChronicleAdmin, PlainDeletionMixin, ReadOnlyAdmin, lines

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


@admin.register(AuthorOverride)
class AuthorOverrideAdmin(ChronicleAdmin):
    list_display = ["author", "mode", "reason"]
    list_filter = ["mode"]
    list_select_related = ["author"]
    search_fields = ["author__username", "author__display_name", "reason"]
    autocomplete_fields = ["author"]
    fields = ["author", "mode", "reason"]

    def get_readonly_fields(self, request: HttpRequest, obj: AuthorOverride | None = None) -> list[str]:
        """The author is the key: another author is another override."""
        return ["author"] if obj else []


@admin.register(AuthorStats)
class AuthorStatsAdmin(ReadOnlyAdmin):
    list_display = ["author", "follower_count", "is_celebrity", "has_pull_posts", "next_mode", "override_link"]
    list_filter = ["is_celebrity", "has_pull_posts"]
    list_select_related = ["author"]
    search_fields = ["author__username", "author__display_name"]
    ordering = ["-follower_count"]
    fields = ["author", "follower_count", "is_celebrity", "has_pull_posts", "next_mode", "override_link"]

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


@admin.register(Post)
class PostAdmin(PlainDeletionMixin, ReadOnlyAdmin):
    """Staff may take a post down, not put words into its author's mouth."""

    goes_with = "its item, its interactions and its place in timelines"
    list_display = ["beginning", "author", "mode", "created_at"]
    list_filter = ["mode"]
    list_select_related = ["author"]
    search_fields = ["author__username__exact", "text"]
    ordering = ["-item"]
    fields = ["item", "author", "text", "mode", "created_at"]

    def has_delete_permission(self, request: HttpRequest, obj: Post | None = None) -> bool:
        return request.user.has_perm("feeds.delete_post")

    @admin.display(description="Post")
    def beginning(self, post: Post) -> str:
        return Truncator(post.text).chars(60)

    def delete_model(self, request: HttpRequest, obj: Post) -> None:
        do_delete_post(post=obj, by=cast(User, request.user))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Post]) -> None:
        for post in queryset:
            do_delete_post(post=post, by=cast(User, request.user))
