"""The partner API's home timeline (see recsys/partners for all that endpoints share)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.urls import reverse
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from feeds.api.bodies import read_object
from feeds.api.representations import PostSerializer, post_bodies
from feeds.reading import do_note_reading, do_set_position, position_of
from feeds.selectors import LARGEST_ID, TimelinePage, home_timeline
from feeds.top import further_top_page, top_page
from recsys.accounts.models import User
from recsys.inputs import FieldError, InputError
from recsys.partners.addressing import find_user
from recsys.partners.serializers import StrictQuery
from recsys.partners.views.base import PartnerView, documented, query


class PageQuery(StrictQuery):
    before = serializers.IntegerField(
        min_value=1, max_value=LARGEST_ID, default=None, help_text="`next_before` of the page before. Left out: newest."
    )
    limit = serializers.IntegerField(min_value=1, max_value=100, default=20, help_text="How many posts at most.")


class TimelineQuery(PageQuery):
    view = serializers.ChoiceField(
        choices=["latest", "top"], default="latest", help_text="top: what matters most to the user first."
    )
    ranking = serializers.UUIDField(
        default=None, help_text="For further pages of top: the `recommendation_id` of its first page."
    )

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        is_further_top = values["view"] == "top" and values["before"] is not None
        if values["ranking"] is not None and not is_further_top:
            raise serializers.ValidationError({"ranking": "This belongs to view=top, together with `before`."})
        if values["ranking"] is None and is_further_top:
            raise serializers.ValidationError({"ranking": "Further pages of view=top need it."})
        return values


class PageSerializer(serializers.Serializer[Any]):
    posts = PostSerializer(many=True, help_text="Newest first.")
    next_before = serializers.IntegerField(allow_null=True, help_text="Null: this is the last page.")


class EntrySerializer(PostSerializer):
    why = serializers.CharField(help_text="The address that says why the post is here.")


class TimelineSerializer(PageSerializer):
    posts = EntrySerializer(many=True, help_text="Newest first; of view=top the best first, each with a `reason`.")
    position = serializers.CharField(help_text="Where live updates go on from without a gap; empty for view=top.")
    recommendation_id = serializers.UUIDField(
        required=False, help_text="Of view=top: names the ranking. Send it with the events that follow from it."
    )
    served_by = serializers.CharField(
        required=False, help_text="Of view=top: what ranked it; “fresh” alone means that nothing was known of the user."
    )


class PositionSerializer(serializers.Serializer[Any]):
    newest_seen = serializers.IntegerField(help_text="The newest post that a first page has shown; 0: none yet.")
    unread_after = serializers.IntegerField(help_text="Posts above are new since the last visit; 0: all are.")
    unread = serializers.IntegerField(help_text="How many posts of others are above, 100 at most.")
    more = serializers.BooleanField(help_text="There are further ones, so `unread` is a lower bound.")


class NewPositionSerializer(serializers.Serializer[Any]):
    seen = serializers.IntegerField(
        min_value=0, max_value=LARGEST_ID, help_text="The post up to which everything counts as read; 0: nothing is."
    )


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
        """The posts of those whom the user follows, as the user may see them now. Asking is no visit of the user's: see
        the position.
        """
        asked, reader = query(request, TimelineQuery), find_user(external_id)
        if asked["before"] is None:
            do_note_reading(reader=reader)
        if asked["view"] == "top":
            return Response(_explained(_top_body(reader, asked), external_id))
        page = home_timeline(reader=reader, before=asked["before"], limit=asked["limit"])
        return Response(_explained(page_body(reader, page) | {"position": page.position}, external_id))


class PositionView(PartnerView):
    """Up to where a user has read their timeline."""

    @documented(
        "Show what is unread",
        answer=PositionSerializer,
        named=True,
        problems=(404,),
        tag="Feeds",
        operation="reading_position",
    )
    def get(self, request: Request, external_id: str) -> Response:
        query(request)
        return Response(asdict(position_of(find_user(external_id))))

    @documented(
        "Set up to where a user has read",
        body=NewPositionSerializer,
        answer=PositionSerializer,
        named=True,
        problems=(404,),
        example={"seen": 4711},
        tag="Feeds",
        operation="set_reading_position",
    )
    def post(self, request: Request, external_id: str) -> Response:
        """It may also go back. A number above the newest post's counts as that one: the answer says what was set."""
        query(request)
        user, body = find_user(external_id), read_object(request, needs=("seen",), seen=_check_seen)
        do_set_position(reader=user, **body)
        return Response(asdict(position_of(user)))


def page_body(reader: User | None, page: TimelinePage) -> dict[str, Any]:
    """A page of posts as `reader` sees them."""
    return {"posts": post_bodies(reader, page.posts), "next_before": page.next_before}


def _explained(body: dict[str, Any], external_id: str) -> dict[str, Any]:
    """The page with the address that explains each of its posts."""
    address = reverse("api-timeline-why", args=[external_id])
    for post in body["posts"]:
        post["why"] = f"{address}?post={post['id']}"
    return body


def _top_body(reader: User, asked: dict[str, Any]) -> dict[str, Any]:
    start, limit = asked["before"], asked["limit"]
    if start is None:
        top = top_page(reader=reader, limit=limit)
    else:
        further = further_top_page(reader=reader, ranking=asked["ranking"], start=start, limit=limit)
        if further is None:
            raise NotFound("This ranking is not kept, or is not this user's. Ask without `ranking` for a new one.")
        top = further
    body = page_body(reader, top.page)
    for post in body["posts"]:
        post["reason"] = top.reasons[post["id"]]
    return body | {"position": "", "recommendation_id": top.recommendation_id, "served_by": top.served_by}


def _check_seen(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_ID:
        raise InputError([FieldError("seen", "This must be the `id` of a post, a whole number; 0: nothing is read.")])
    return value
