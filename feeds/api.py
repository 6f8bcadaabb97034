"""The partner API's timeline, which only this app can answer (see recsys/partners for all that it shares)."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feeds.models import Post
from feeds.selectors import home_timeline
from recsys.partners.addressing import find_user
from recsys.partners.serializers import StrictQuery
from recsys.partners.views.base import PartnerView, documented, query


class TimelineQuery(StrictQuery):
    before = serializers.IntegerField(
        min_value=1, max_value=2**63 - 1, default=None, help_text="`next_before` of the page before. Left out: newest."
    )
    limit = serializers.IntegerField(min_value=1, max_value=100, default=20, help_text="How many posts at most.")


class AuthorSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    username = serializers.CharField()
    display_name = serializers.CharField()


class PostSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(help_text="Also the number of its item: `id:<number>` names it in addresses.")
    author = AuthorSerializer()
    text = serializers.CharField()
    created_at = serializers.DateTimeField()


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
        page = home_timeline(reader=find_user(external_id), before=asked["before"], limit=asked["limit"])
        posts = [_post_body(post) for post in page.posts]
        return Response({"posts": posts, "next_before": page.next_before, "position": page.position})


def _post_body(post: Post) -> dict[str, Any]:
    author = post.author
    return {
        "id": post.pk,
        "author": {
            "id": author.pk,
            "external_id": author.external_id,
            "username": author.username,
            "display_name": author.display_name,
        },
        "text": post.text,
        "created_at": post.created_at,
    }
