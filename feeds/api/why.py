"""The partner API's answer to "why is this post in the timeline, or not?"."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feeds.models import DeliveryMode
from feeds.why import Place, Verdict, explain
from recsys.partners.addressing import find_user
from recsys.partners.serializers import StrictQuery
from recsys.partners.views.base import PartnerView, documented, query


class WhyQuery(StrictQuery):
    post = serializers.IntegerField(min_value=1, max_value=2**63 - 1, help_text="The post's number.")


class ReasonSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    text = serializers.CharField(help_text="In words, to the user.")


class DeliverySerializer(serializers.Serializer[Any]):
    bucket = serializers.CharField(
        help_text="Which readers: `all`, `connected`, `recent`, `rest`; or `author`, the list."
    )
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()


class WhySerializer(serializers.Serializer[Any]):
    post = serializers.IntegerField()
    verdict = serializers.ChoiceField(
        choices=[one.value for one in Verdict],
        help_text="`reposted`: not an entry of its own, but shown by the repost `related`.",
    )
    reasons = ReasonSerializer(many=True, help_text="The first decides.")
    mode = serializers.ChoiceField(choices=DeliveryMode.choices, allow_null=True)
    followed_at = serializers.DateTimeField(allow_null=True, help_text="Since when the user follows the author.")
    related = serializers.IntegerField(allow_null=True, help_text="The entry that shows the same instead.")
    place = serializers.ChoiceField(
        choices=[one.value for one in Place], allow_null=True, help_text="Where the next page finds it."
    )
    deliveries = DeliverySerializer(many=True)


class TimelineWhyView(PartnerView):
    """Why a user's home timeline shows a post, or not."""

    @documented(
        "Explain a post in a user's timeline",
        answer=WhySerializer,
        parameters=WhyQuery,
        named=True,
        problems=(404,),
        tag="Feeds",
        operation="timeline_why",
    )
    def get(self, request: Request, external_id: str) -> Response:
        """A post that the user may not see is answered like one that does not exist: `not_available`."""
        told = explain(reader=find_user(external_id), post=query(request, WhyQuery)["post"])
        shown = ("post", "verdict", "mode", "followed_at", "related", "place")
        body: dict[str, Any] = {name: getattr(told, name) for name in shown}
        body["reasons"] = [asdict(reason) for reason in told.reasons]
        body["deliveries"] = [
            {"bucket": one.bucket, "first_at": one.first_at, "last_at": one.last_at} for one in told.deliveries
        ]
        return Response(body)
