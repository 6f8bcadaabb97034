"""The partner API's lists of accounts. A list is named by its number, under its owner; nobody else's has it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from feeds.api.bodies import check_person, read_object
from feeds.api.representations import PersonSerializer, person_body
from feeds.api.timelines import PageQuery, PageSerializer, page_body
from feeds.lists import (
    LONGEST_NAME,
    check_name,
    do_add_member,
    do_create_list,
    do_delete_list,
    do_remove_member,
    do_rename_list,
    find_list,
    lists_of,
    members_of,
)
from feeds.models import AccountList
from feeds.pages import list_page
from recsys.accounts.models import User
from recsys.partners.addressing import LONGEST, find_user
from recsys.partners.serializers import StrictQuery
from recsys.partners.views.base import PartnerView, documented, query

NAMED = "external_id of the user, or id:<number>."


class NameSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=LONGEST_NAME)


class ListSerializer(NameSerializer):
    id = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class CountedListSerializer(ListSerializer):
    member_count = serializers.IntegerField()


class ListsSerializer(serializers.Serializer[Any]):
    lists = CountedListSerializer(many=True, help_text="By name; 100 at most.")


class MemberSerializer(serializers.Serializer[Any]):
    user = serializers.CharField(max_length=LONGEST, help_text=NAMED)


class MemberQuery(StrictQuery):
    user = serializers.CharField(max_length=LONGEST, help_text=NAMED)


class MembersSerializer(serializers.Serializer[Any]):
    members = PersonSerializer(many=True, help_text="The last one added first; 500 at most.")


class ListsView(PartnerView):
    """A user's lists."""

    @documented(
        "Show a user's lists", answer=ListsSerializer, named=True, problems=(404,), tag="Feeds", operation="lists"
    )
    def get(self, request: Request, external_id: str) -> Response:
        query(request)
        found = lists_of(find_user(external_id))
        return Response({"lists": [_body(one) | {"member_count": one.member_count} for one in found]})  # type: ignore[attr-defined]

    @documented(
        "Make a list",
        body=NameSerializer,
        answer=ListSerializer,
        named=True,
        problems=(404,),
        example={"name": "Jazz people"},
        tag="Feeds",
        operation="create_list",
    )
    def post(self, request: Request, external_id: str) -> Response:
        """Each name once, and 100 lists at most."""
        query(request)
        return Response(_body(do_create_list(owner=find_user(external_id), name=_name(request))))


class ListView(PartnerView):
    """One list."""

    @documented("Show a list", answer=ListSerializer, named=True, problems=(404,), tag="Feeds", operation="get_list")
    def get(self, request: Request, external_id: str, pk: int) -> Response:
        query(request)
        return Response(_body(_list(external_id, pk)))

    @documented(
        "Rename a list",
        body=NameSerializer,
        answer=ListSerializer,
        named=True,
        problems=(404,),
        example={"name": "Jazz"},
        tag="Feeds",
        operation="rename_list",
    )
    def post(self, request: Request, external_id: str, pk: int) -> Response:
        query(request)
        found = _list(external_id, pk)
        do_rename_list(account_list=found, name=_name(request))
        return Response(_body(found))

    @documented("Delete a list", answer=None, named=True, problems=(404,), tag="Feeds", operation="delete_list")
    def delete(self, request: Request, external_id: str, pk: int) -> Response:
        query(request)
        do_delete_list(account_list=_list(external_id, pk))
        return Response(status=204)


class ListTimelineView(PartnerView):
    """What the members of a list wrote."""

    @documented(
        "Show a list's timeline",
        answer=PageSerializer,
        parameters=PageQuery,
        named=True,
        problems=(404,),
        tag="Feeds",
        operation="list_timeline",
    )
    def get(self, request: Request, external_id: str, pk: int) -> Response:
        """As far as its owner may see it; replies only to one another and to the owner."""
        asked, found = query(request, PageQuery), _list(external_id, pk)
        return Response(page_body(found.owner, list_page(account_list=found, **asked)))


class ListMembersView(PartnerView):
    """Who is in a list."""

    @documented(
        "Show the members of a list",
        answer=MembersSerializer,
        named=True,
        problems=(404,),
        tag="Feeds",
        operation="list_members",
    )
    def get(self, request: Request, external_id: str, pk: int) -> Response:
        query(request)
        return Response({"members": [person_body(one) for one in members_of(_list(external_id, pk))]})

    @documented(
        "Add a member to a list",
        body=MemberSerializer,
        answer=None,
        named=True,
        problems=(404,),
        example={"user": "customer-4711"},
        tag="Feeds",
        operation="add_list_member",
    )
    def post(self, request: Request, external_id: str, pk: int) -> Response:
        """Whether its owner follows them or not; 500 at most. Who is in it already stays."""
        query(request)
        found, body = _list(external_id, pk), read_object(request, needs=("user",), user=check_person("user"))
        do_add_member(account_list=found, member=body["user"])
        return Response(status=204)

    @documented(
        "Remove a member from a list",
        answer=None,
        parameters=MemberQuery,
        named=True,
        problems=(404,),
        tag="Feeds",
        operation="remove_list_member",
    )
    def delete(self, request: Request, external_id: str, pk: int) -> Response:
        asked = query(request, MemberQuery)
        do_remove_member(account_list=_list(external_id, pk), member=find_user(asked["user"], active=False))
        return Response(status=204)


def _list(name: str, pk: int) -> AccountList:
    owner: User = find_user(name)
    found = find_list(owner, pk)
    if found is None:
        raise NotFound(f"This user has no list {pk}.")
    return found


def _name(request: Request) -> str:
    return str(read_object(request, needs=("name",), name=check_name)["name"])


def _body(found: AccountList) -> dict[str, Any]:
    return {"id": found.pk, "name": found.name, "created_at": found.created_at}
