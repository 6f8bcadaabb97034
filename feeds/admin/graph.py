"""The social graph, for staff to look at when somebody asks why they see, or do not see, somebody else."""

from __future__ import annotations

from django.contrib import admin

from feeds.models import Block, Follow, FollowRequest, Mute
from recsys.console import ReadOnlyAdmin


class EdgeAdmin(ReadOnlyAdmin):
    """Edges are found by the exact username of either end: there are millions of them."""

    ends: tuple[str, str]

    def __init_subclass__(cls) -> None:
        cls.list_display = [*cls.ends, "created_at"]
        cls.fields = [*cls.ends, "created_at"]
        cls.list_select_related = list(cls.ends)
        cls.search_fields = [f"{end}__username__exact" for end in cls.ends]
        cls.ordering = ["-id"]


@admin.register(Follow)
class FollowAdmin(EdgeAdmin):
    ends = ("follower", "followee")


@admin.register(FollowRequest)
class FollowRequestAdmin(EdgeAdmin):
    ends = ("requester", "target")


@admin.register(Block)
class BlockAdmin(EdgeAdmin):
    ends = ("blocker", "blocked")


@admin.register(Mute)
class MuteAdmin(EdgeAdmin):
    ends = ("muter", "muted")
