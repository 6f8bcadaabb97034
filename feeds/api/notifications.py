"""The partner API's notifications, for partners who show them in pages of their own."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feeds.api.bodies import read_object
from feeds.api.graph import PeopleQuery, RelationsSerializer, people_answer
from feeds.api.representations import AuthorSerializer, author_body
from feeds.models import NotificationKind
from feeds.notifications import (
    LARGEST_ID,
    LONGEST_PAGE,
    PAGE,
    Cursor,
    Group,
    GroupKey,
    do_mark_read,
    do_mark_seen,
    do_save_preferences,
    group_people,
    notification_page,
    unread_count,
    unwanted_kinds,
)
from recsys.inputs import FieldError, InputError
from recsys.partners.addressing import find_user
from recsys.partners.serializers import StrictQuery
from recsys.partners.views.base import PartnerView, documented, query

KINDS = f"One of {', '.join(NotificationKind)}."


@extend_schema_field(OpenApiTypes.STR)
class CursorField(serializers.Field[Cursor, str, str, Any]):
    """`next_before` of the page before."""

    def to_internal_value(self, data: str) -> Cursor:
        cursor = Cursor.parse(data)
        if cursor is None:
            raise serializers.ValidationError("This is no cursor; send `next_before` as the page before gave it.")
        return cursor


@extend_schema_field(OpenApiTypes.STR)
class GroupField(serializers.Field[GroupKey, str, str, Any]):
    """`key` of a group."""

    def to_internal_value(self, data: str) -> GroupKey:
        try:
            return GroupKey.parse(data)
        except InputError as error:
            raise serializers.ValidationError(error.errors[0].message) from error


class GroupPeopleQuery(PeopleQuery):
    group = GroupField(help_text="The `key` of the group, such as like-17.")


class NotificationsQuery(StrictQuery):
    before = CursorField(default=None, help_text="`next_before` of the page before. Left out: the newest.")
    limit = serializers.IntegerField(
        min_value=1, max_value=LONGEST_PAGE, default=PAGE, help_text="How many groups at most."
    )


class GroupSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(help_text="What names this group, to mark it as read and to list its people: like-17.")
    kind = serializers.CharField(help_text=KINDS)
    id = serializers.IntegerField(help_text="The newest notification of the group.")
    at = serializers.DateTimeField(help_text="When the newest was.")
    count = serializers.IntegerField(help_text="How many people.")
    actors = AuthorSerializer(many=True, help_text="The newest of them, three at most.")
    post = serializers.IntegerField(allow_null=True, help_text="The post that it is about; null for follows.")
    excerpt = serializers.CharField(help_text="The beginning of that post.")
    text = serializers.CharField(help_text="All of it in words: Ana, Ben and 3 others liked your post.")
    seen = serializers.BooleanField()
    read = serializers.BooleanField()


class NotificationsSerializer(serializers.Serializer[Any]):
    groups = GroupSerializer(many=True, help_text="Newest first.")
    next_before = serializers.CharField(allow_null=True, help_text="Null: this is the last page.")
    unseen = serializers.IntegerField(help_text="How many notifications are not seen; 100 stands for more.")


class UnseenSerializer(serializers.Serializer[Any]):
    unseen = serializers.IntegerField()


class SeenSerializer(serializers.Serializer[Any]):
    up_to = serializers.IntegerField(required=False, help_text="The `id` up to which they were shown. Left out: all.")


class ReadSerializer(SeenSerializer):
    group = serializers.CharField(required=False, help_text="The `key` of a group. Left out: all of them.")


class PreferencesSerializer(serializers.Serializer[Any]):
    unwanted = serializers.ListField(
        child=serializers.CharField(), help_text=f"Kinds that the user is not told of. {KINDS}"
    )


class NotificationsView(PartnerView):
    """A user's notifications."""

    @documented(
        "Show a user's notifications",
        answer=NotificationsSerializer,
        parameters=NotificationsQuery,
        named=True,
        problems=(404,),
        tag="Feeds",
        operation="notifications",
    )
    def get(self, request: Request, external_id: str) -> Response:
        """In groups: those who liked one post are one. Reading them marks nothing."""
        asked, user = query(request, NotificationsQuery), find_user(external_id)
        page = notification_page(recipient=user, before=asked["before"], limit=asked["limit"])
        groups = [_group_body(group) for group in page.groups]
        following = str(page.next_before) if page.next_before else None
        return Response({"groups": groups, "next_before": following, "unseen": unread_count(user)})


class GroupPeopleView(PartnerView):
    """Everybody of a group of notifications."""

    @documented(
        "Show the people of a group of notifications",
        answer=RelationsSerializer,
        parameters=GroupPeopleQuery,
        named=True,
        problems=(404,),
        tag="Feeds",
        operation="notification_people",
    )
    def get(self, request: Request, external_id: str) -> Response:
        """The latest first, and how the user stands to each. Of a group that has gone, nobody. Marks nothing."""
        asked = query(request, GroupPeopleQuery)
        return people_answer(group_people(recipient=find_user(external_id), key=asked.pop("group"), **asked))


class SeenView(PartnerView):
    """That a user has had a look."""

    @documented(
        "Mark notifications as seen",
        body=SeenSerializer,
        answer=UnseenSerializer,
        named=True,
        problems=(404,),
        example={},
        tag="Feeds",
        operation="mark_notifications_seen",
    )
    def post(self, request: Request, external_id: str) -> Response:
        """All up to `up_to`, so that one which came after the page was shown stays unseen."""
        query(request)
        user, body = find_user(external_id), read_object(request, up_to=_check_id)
        do_mark_seen(recipient=user, **body)
        return Response({"unseen": unread_count(user)})


class ReadView(PartnerView):
    """That a user has read something."""

    @documented(
        "Mark notifications as read",
        body=ReadSerializer,
        answer=UnseenSerializer,
        named=True,
        problems=(404,),
        example={},
        tag="Feeds",
        operation="mark_notifications_read",
    )
    def post(self, request: Request, external_id: str) -> Response:
        """One group, or all. What is read is seen as well."""
        query(request)
        user, body = find_user(external_id), read_object(request, up_to=_check_id, group=_check_group)
        do_mark_read(recipient=user, **body)
        return Response({"unseen": unread_count(user)})


class PreferencesView(PartnerView):
    """Which kinds a user wants."""

    @documented(
        "Show a user's notification preferences",
        answer=PreferencesSerializer,
        named=True,
        problems=(404,),
        tag="Feeds",
        operation="notification_preferences",
    )
    def get(self, request: Request, external_id: str) -> Response:
        query(request)
        return Response({"unwanted": unwanted_kinds(find_user(external_id))})

    @documented(
        "Change a user's notification preferences",
        body=PreferencesSerializer,
        answer=PreferencesSerializer,
        named=True,
        problems=(404,),
        example={"unwanted": ["like"]},
        tag="Feeds",
        operation="change_notification_preferences",
    )
    def post(self, request: Request, external_id: str) -> Response:
        """The whole list: kinds that it does not hold are wanted."""
        query(request)
        user, body = find_user(external_id), read_object(request, unwanted=_check_kinds)
        if "unwanted" in body:
            do_save_preferences(user=user, **body)
        return Response({"unwanted": unwanted_kinds(user)})


def _check_id(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_ID:
        raise InputError([FieldError("up_to", "This must be the `id` of a notification, a whole number.")])
    return value


def _check_group(value: Any) -> GroupKey:
    return GroupKey.parse(value if isinstance(value, str) else "")


def _check_kinds(value: Any) -> list[NotificationKind]:
    kinds = list(NotificationKind)
    if not isinstance(value, list) or any(not isinstance(one, str) or one not in kinds for one in value):
        raise InputError([FieldError("unwanted", f"This must be a list of kinds, each one of {', '.join(kinds)}.")])
    return [kind for kind in kinds if kind in value]


def _group_body(group: Group) -> dict[str, Any]:
    return {
        "key": str(group.key),
        "kind": group.key.kind,
        "id": group.newest,
        "at": group.at,
        "count": group.count,
        "actors": [author_body(actor) for actor in group.actors],
        "post": group.key.post,
        "excerpt": group.excerpt,
        "text": f"{group.who} {group.did}",
        "seen": group.is_seen,
        "read": group.is_read,
    }
