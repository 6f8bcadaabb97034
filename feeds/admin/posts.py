"""Posts, for staff to look at and to take down."""

from __future__ import annotations

from typing import cast

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.text import Truncator

from feeds.actions import do_delete_post
from feeds.admin.why import timeline_view, why_view
from feeds.models import Delivery, Post, PostStats
from recsys.accounts.models import User
from recsys.console import PlainDeletionMixin, ReadOnlyAdmin


class DeliveryInline(admin.TabularInline):
    """What the fan-out did with the post."""

    model = Delivery
    fields = ["bucket", "warm_timelines", "first_at", "last_at"]
    readonly_fields = ["bucket", "warm_timelines", "first_at", "last_at"]
    extra = 0
    can_delete = False
    ordering = ["first_at"]
    verbose_name_plural = "deliveries"

    @admin.display(description="into warm timelines")
    def warm_timelines(self, delivery: Delivery) -> int | str:
        return "" if delivery.bucket == Delivery.Bucket.AUTHOR else delivery.readers

    def has_add_permission(self, request: HttpRequest, obj: Post | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Post | None = None) -> bool:
        return False


@admin.register(Post)
class PostAdmin(PlainDeletionMixin, ReadOnlyAdmin):
    """Staff may take a post down, not put words into its author's mouth."""

    goes_with = "its item, its interactions and its place in timelines"
    list_display = ["beginning", "author", "visibility", "mode", "created_at"]
    list_filter = ["mode", "visibility"]
    list_select_related = ["author", "repost_of"]
    search_fields = ["author__username__exact", "text"]
    ordering = ["-item"]
    fields = [
        "item", "author", "text", "visibility", "reply_to", "reply_to_author", "repost_of", "attached", "image_url",
        "image_alt", "likes", "mode", "created_at", "edited_at", "why",
    ]  # fmt: skip
    readonly_fields = ["likes", "reply_to_author"]
    inlines = [DeliveryInline]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("why/", view(why_view), name="feeds_why"),
            path("timeline/", view(timeline_view), name="feeds_timeline"),
            *super().get_urls(),
        ]

    @admin.display(description="Timelines")
    def why(self, post: Post) -> str:
        return format_html('<a href="{}?post={}">why is this in a timeline?</a>', reverse("admin:feeds_why"), post.pk)

    def has_delete_permission(self, request: HttpRequest, obj: Post | None = None) -> bool:
        return request.user.has_perm("feeds.delete_post")

    @admin.display(description="Post")
    def beginning(self, post: Post) -> str:
        return Truncator(post.text).chars(60) if post.repost_of is None else f"↻ {Truncator(post.repost_of).chars(58)}"

    @admin.display(description="Likes, reposts, replies")
    def likes(self, post: Post) -> str:
        stats: PostStats | None = getattr(post, "stats", None)
        return f"{stats.like_count}, {stats.repost_count}, {stats.reply_count}" if stats else "0, 0, 0"

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Post]) -> list[LogEntry]:
        """The action remembers it, from wherever staff take a post down."""
        return []

    def delete_model(self, request: HttpRequest, obj: Post) -> None:
        do_delete_post(post=obj, by=cast(User, request.user))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Post]) -> None:
        for post in queryset:
            do_delete_post(post=post, by=cast(User, request.user))
