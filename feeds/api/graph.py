"""The partner API's social graph: follows, requests, blocks and mutes of a user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feeds import graph
from feeds.api.bodies import check_person, read_object
from feeds.api.representations import AuthorSerializer, PersonSerializer, author_body, person_body
from feeds.people import (
    LONGEST_PAGE,
    PeoplePage,
    PersonEntry,
    blocked_page,
    followers_page,
    following_page,
    muted_page,
    relations,
    requests_page,
    sent_requests_page,
)
from feeds.suggestions import suggested_people
from recsys.accounts.models import User
from recsys.inputs import FieldError, InputError
from recsys.partners.addressing import LONGEST, find_user
from recsys.partners.serializers import StrictQuery
from recsys.partners.views.base import PartnerView, documented, query

TAG = "Social graph"
ANSWERS = {"approve": graph.do_approve_request, "reject": graph.do_reject_request}


class PeopleQuery(StrictQuery):
    before = serializers.IntegerField(
        min_value=1, max_value=2**63 - 1, default=None, help_text="`next_before` of the page before. Left out: newest."
    )
    limit = serializers.IntegerField(min_value=1, max_value=LONGEST_PAGE, default=30, help_text="How many at most.")


class OtherQuery(StrictQuery):
    user = serializers.CharField(max_length=LONGEST, help_text="external_id of the other user, or id:<number>.")


class OtherSerializer(serializers.Serializer[Any]):
    user = serializers.CharField(max_length=LONGEST, help_text="external_id of the other user, or id:<number>.")


class AnswerSerializer(OtherSerializer):
    answer = serializers.ChoiceField(choices=list(ANSWERS))


class RelationSerializer(serializers.Serializer[Any]):
    user = PersonSerializer(help_text="The other user.")
    follows = serializers.BooleanField(help_text="The user follows the other one.")
    requested = serializers.BooleanField(help_text="The user asked to; the other account is private.")
    followed_by = serializers.BooleanField()
    asked_by = serializers.BooleanField(help_text="The other one asked to follow the user.")
    mutes = serializers.BooleanField()
    blocks = serializers.BooleanField()
    blocked_by = serializers.BooleanField()


class RelationsSerializer(serializers.Serializer[Any]):
    users = RelationSerializer(many=True)
    next_before = serializers.IntegerField(allow_null=True, help_text="Null: this is the last page.")


class SuggestionsQuery(StrictQuery):
    limit = serializers.IntegerField(min_value=1, max_value=30, default=5, help_text="How many at most.")


class SuggestionSerializer(serializers.Serializer[Any]):
    user = AuthorSerializer(help_text="Whom the user might follow.")
    reason = serializers.CharField(help_text="Why, in words.")


class SuggestionsSerializer(serializers.Serializer[Any]):
    suggestions = SuggestionSerializer(many=True, help_text="The best first.")


EXAMPLE = {"user": "customer-4712"}


class FollowsView(PartnerView):
    """Whom a user follows."""

    @documented(
        "List whom a user follows", answer=RelationsSerializer, parameters=PeopleQuery, named=True,
        problems=(404,), tag=TAG, operation="list_follows",
    )  # fmt: skip
    def get(self, request: Request, external_id: str) -> Response:
        """The latest follow first."""
        asked, user = query(request, PeopleQuery), find_user(external_id)
        return people_answer(following_page(person=user, reader=user, **asked))

    @documented(
        "Follow somebody", body=OtherSerializer, answer=RelationSerializer, named=True, example=EXAMPLE,
        problems=(404,), tag=TAG, operation="follow",
    )  # fmt: skip
    def post(self, request: Request, external_id: str) -> Response:
        """A private account is asked instead: `requested` is true then. Twice is once."""
        query(request)
        user, other = find_user(external_id), _other(request)
        graph.do_follow(follower=user, followee=other)
        return _relation(user, other)

    @documented(
        "Stop following somebody", answer=None, parameters=OtherQuery, named=True,
        problems=(404,), tag=TAG, operation="unfollow",
    )  # fmt: skip
    def delete(self, request: Request, external_id: str) -> Response:
        """Or withdraw the request to. Gone already is success."""
        other = find_user(query(request, OtherQuery)["user"], active=False)
        graph.do_unfollow(follower=find_user(external_id), followee=other)
        return Response(status=204)


class FollowersView(PartnerView):
    """Who follows a user."""

    @documented(
        "List who follows a user", answer=RelationsSerializer, parameters=PeopleQuery, named=True,
        problems=(404,), tag=TAG, operation="list_followers",
    )  # fmt: skip
    def get(self, request: Request, external_id: str) -> Response:
        """The newest accounts first."""
        asked, user = query(request, PeopleQuery), find_user(external_id)
        return people_answer(followers_page(person=user, reader=user, **asked))

    @documented(
        "Remove a follower", answer=None, parameters=OtherQuery, named=True,
        problems=(404,), tag=TAG, operation="remove_follower",
    )  # fmt: skip
    def delete(self, request: Request, external_id: str) -> Response:
        """Gone already is success."""
        other = find_user(query(request, OtherQuery)["user"], active=False)
        graph.do_remove_follower(user=find_user(external_id), follower=other)
        return Response(status=204)


class FollowRequestsView(PartnerView):
    """Who waits to follow a user whose account is private."""

    @documented(
        "List who asks to follow a user", answer=RelationsSerializer, parameters=PeopleQuery, named=True,
        problems=(404,), tag=TAG, operation="list_follow_requests",
    )  # fmt: skip
    def get(self, request: Request, external_id: str) -> Response:
        """The latest request first."""
        asked, user = query(request, PeopleQuery), find_user(external_id)
        return people_answer(requests_page(target=user, **asked))

    @documented(
        "Answer a request to follow", body=AnswerSerializer, answer=RelationSerializer, named=True,
        example=EXAMPLE | {"answer": "approve"}, problems=(404,), tag=TAG, operation="answer_follow_request",
    )  # fmt: skip
    def post(self, request: Request, external_id: str) -> Response:
        """On behalf of the user who was asked. Where nobody asked, nothing happens: `followed_by` says what is."""
        query(request)
        user = find_user(external_id)
        body = read_object(request, needs=("user", "answer"), user=check_person("user"), answer=_check_answer)
        body["answer"](target=user, requester=body["user"])
        return _relation(user, body["user"])


class SentRequestsView(PartnerView):
    """Whom a user has asked to follow, and who has not decided yet."""

    @documented(
        "List whom a user has asked to follow", answer=RelationsSerializer, parameters=PeopleQuery, named=True,
        problems=(404,), tag=TAG, operation="list_sent_follow_requests",
    )  # fmt: skip
    def get(self, request: Request, external_id: str) -> Response:
        """The latest request first. Stopping to follow somebody (`DELETE …/follows`) withdraws it."""
        asked, user = query(request, PeopleQuery), find_user(external_id)
        return people_answer(sent_requests_page(requester=user, **asked))


class BlocksView(PartnerView):
    """Whom a user has blocked."""

    @documented(
        "List whom a user has blocked", answer=RelationsSerializer, parameters=PeopleQuery, named=True,
        problems=(404,), tag=TAG, operation="list_blocks",
    )  # fmt: skip
    def get(self, request: Request, external_id: str) -> Response:
        """The latest block first."""
        asked = query(request, PeopleQuery)
        return people_answer(blocked_page(reader=find_user(external_id), **asked))

    @documented(
        "Block somebody", body=OtherSerializer, answer=RelationSerializer, named=True, example=EXAMPLE,
        problems=(404,), tag=TAG, operation="block",
    )  # fmt: skip
    def post(self, request: Request, external_id: str) -> Response:
        """Ends follows and requests both ways, and hides each from the other. Twice is once."""
        query(request)
        user, other = find_user(external_id), _other(request)
        graph.do_block(blocker=user, blocked=other)
        return _relation(user, other)

    @documented(
        "Unblock somebody", answer=None, parameters=OtherQuery, named=True,
        problems=(404,), tag=TAG, operation="unblock",
    )  # fmt: skip
    def delete(self, request: Request, external_id: str) -> Response:
        """What the block ended stays ended. Gone already is success."""
        other = find_user(query(request, OtherQuery)["user"], active=False)
        graph.do_unblock(blocker=find_user(external_id), blocked=other)
        return Response(status=204)


class MutesView(PartnerView):
    """Whom a user has muted."""

    @documented(
        "List whom a user has muted", answer=RelationsSerializer, parameters=PeopleQuery, named=True,
        problems=(404,), tag=TAG, operation="list_mutes",
    )  # fmt: skip
    def get(self, request: Request, external_id: str) -> Response:
        """The latest mute first."""
        asked = query(request, PeopleQuery)
        return people_answer(muted_page(reader=find_user(external_id), **asked))

    @documented(
        "Mute somebody", body=OtherSerializer, answer=RelationSerializer, named=True, example=EXAMPLE,
        problems=(404,), tag=TAG, operation="mute",
    )  # fmt: skip
    def post(self, request: Request, external_id: str) -> Response:
        """Keeps their posts from the user's timeline; a follow stays. Twice is once."""
        query(request)
        user, other = find_user(external_id), _other(request)
        graph.do_mute(muter=user, muted=other)
        return _relation(user, other)

    @documented(
        "Unmute somebody", answer=None, parameters=OtherQuery, named=True,
        problems=(404,), tag=TAG, operation="unmute",
    )  # fmt: skip
    def delete(self, request: Request, external_id: str) -> Response:
        """Gone already is success."""
        other = find_user(query(request, OtherQuery)["user"], active=False)
        graph.do_unmute(muter=find_user(external_id), muted=other)
        return Response(status=204)


class SuggestionsView(PartnerView):
    """Whom a user might follow."""

    @documented(
        "Suggest whom a user might follow", answer=SuggestionsSerializer, parameters=SuggestionsQuery, named=True,
        problems=(404,), tag=TAG, operation="suggest_people",
    )  # fmt: skip
    def get(self, request: Request, external_id: str) -> Response:
        """Nobody whom the user follows, asked, muted or blocked."""
        asked, user = query(request, SuggestionsQuery), find_user(external_id)
        people = suggested_people(reader=user, **asked)
        body = [{"user": author_body(one.person), "reason": one.reason} for one in people]
        return Response({"suggestions": body})


def _other(request: Request) -> User:
    """The user whom the body names."""
    other: User = read_object(request, needs=("user",), user=check_person("user"))["user"]
    return other


def _check_answer(value: Any) -> Callable[..., object]:
    """What to do for an answer to a request."""
    if not isinstance(value, str) or value not in ANSWERS:
        raise InputError([FieldError("answer", f"This must be one of: {', '.join(ANSWERS)}.")])
    return ANSWERS[value]


def _relation(user: User, other: User) -> Response:
    relation = relations(reader=user, people=[other.pk])[other.pk]
    return Response(_relation_body(PersonEntry(other, relation)))


def people_answer(page: PeoplePage) -> Response:
    """A page of people as `RelationsSerializer` describes it."""
    return Response({"users": [_relation_body(entry) for entry in page.entries], "next_before": page.next_before})


def _relation_body(entry: PersonEntry) -> dict[str, Any]:
    relation = entry.relation
    return {
        "user": person_body(entry.person),
        "follows": relation.follows,
        "requested": relation.requested,
        "followed_by": relation.followed_by,
        "asked_by": relation.asked_by,
        "mutes": relation.mutes,
        "blocks": relation.blocks,
        "blocked_by": relation.blocked_by,
    }
