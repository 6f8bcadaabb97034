"""The partner API's timelines (see recsys/partners for all that endpoints share)."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feeds.api.representations import PostSerializer, post_bodies
from feeds.selectors import home_timeline
from recsys.partners.addressing import find_user
from recsys.partners.serializers import StrictQuery
from recsys.partners.views.base import PartnerView, documented, query


class TimelineQuery(StrictQuery):
    before = serializers.IntegerField(
        min_value=1, max_value=2**63 - 1, default=None, help_text="`next_before` of the page before. Left out: newest."
    )
    limit = serializers.IntegerField(min_value=1, max_value=100, default=20, help_text="How many posts at most.")


class TimelineSerializer(serializers.Serializer[Any]):
    posts = PostSerializer(many=True, help_text="Newest first.")
    next_before = serializers.IntegerField(allow_null=True, help_text="Null: this is the last page.")
    position = serializers.CharField(help_text="Where live updates go on from without a gap.")


class TimelineView(PartnerView):
    """A user's home timeline."""

    @documented(
        "Show a user's timeline",
        answer=TimelineSerializer,
        parameters=TimelineQuery,
        named=True,
        problems=(404,),
        tag="Feeds",
        operation="timeline",
    )
    def get(self, request: Request, external_id: str) -> Response:
        """The posts of those whom the user follows, as the user may see them now."""
        asked = query(request, TimelineQuery)
        reader = find_user(external_id)
        page = home_timeline(reader=reader, before=asked["before"], limit=asked["limit"])
        posts = post_bodies(reader, page.posts)
        return Response({"posts": posts, "next_before": page.next_before, "position": page.position})
