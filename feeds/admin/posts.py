"""Posts, for staff to look at and to take down."""

from __future__ import annotations

from typing import cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator

from feeds.actions import do_delete_post
from feeds.models import Post
from recsys.accounts.models import User
from recsys.console import PlainDeletionMixin, ReadOnlyAdmin


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
