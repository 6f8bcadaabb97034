"""What the schema says of bodies and answers, and the checks of query parameters.

Bodies are checked by the `check_…` functions of the apps, which imports and pages use too; the serializers here
describe them, and a test holds that what they describe is accepted.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from realtime import access
from recsys.accounts.regions import normalise_region
from recsys.events.models import InteractionKind
from recsys.partners.addressing import LONGEST
from recsys.partners.batches import MAX_BATCH

_POSITION = "Where live updates go on from without a gap; empty while there are none to be had."


class StrictQuery(serializers.Serializer[Any]):
    """Query parameters, of which each is known and given once."""

    def to_internal_value(self, data: Any) -> Any:
        faults = {name: ["There is no such parameter."] for name in data if name not in self.fields}
        faults |= {name: ["Give it only once."] for name in self.fields if len(data.getlist(name)) > 1}
        if faults:
            known = ", ".join(self.fields) or "none"
            faults[""] = [f"The parameters here are: {known}."]
            raise serializers.ValidationError(faults)
        return super().to_internal_value(data)


class RegionField(serializers.CharField):
    """A region code, understood as people write it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=64, required=False, allow_blank=True, **options)

    def to_internal_value(self, data: Any) -> str:
        try:
            return normalise_region(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


def _count(default: int) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=1, max_value=100, default=default, help_text="How many items at most.")


def _kind() -> serializers.CharField:
    return serializers.CharField(max_length=32, default="", help_text="Only items of this kind, such as film.")


class RecommendationsQuery(StrictQuery):
    count = _count(10)
    surface = serializers.RegexField(
        r"^[a-z][a-z0-9_]*\Z", max_length=32, default="for_you", help_text="Where they will be shown, such as for_you."
    )
    region = RegionField(help_text="Where the user is now, such as GB or US-CA. Left out: the user's own region.")
    kind = _kind()


class SimilarQuery(StrictQuery):
    count = _count(10)
    kind = _kind()


class TrendingQuery(StrictQuery):
    count = _count(10)
    region = RegionField(default="", help_text="Such as GB or US-CA. Left out: everywhere.")
    kind = _kind()


class NoQuery(StrictQuery):
    """No parameters at all."""


class ItemSerializer(serializers.Serializer[Any]):
    external_id = serializers.CharField(max_length=LONGEST, help_text="Your name for it.")
    title = serializers.CharField(max_length=300)
    kind = serializers.CharField(max_length=32, required=False, help_text="film, product, track, … Default: item.")
    description = serializers.CharField(max_length=10_000, required=False)
    category = serializers.CharField(max_length=100, required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=100), max_length=50, required=False)
    regions = serializers.ListField(
        child=serializers.CharField(max_length=16),
        max_length=50,
        required=False,
        help_text="Where it may be shown. Empty: everywhere.",
    )
    url = serializers.URLField(max_length=1000, required=False)
    image_url = serializers.URLField(max_length=1000, required=False)
    attributes = serializers.DictField(required=False, help_text="Anything else of your own, at most 10 kB.")
    is_available = serializers.BooleanField(required=False, help_text="False: never recommended. Default: true.")
    published_at = serializers.DateTimeField(required=False)


class StoredItemSerializer(ItemSerializer):
    id = serializers.IntegerField(help_text="Its number here; `id:<number>` names it in addresses.")
    external_id = serializers.CharField(allow_null=True, help_text="Null for what people posted on the site.")
    counts = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="What is counted of it: `taken_up`; of a post `likes`, `reposts` and `replies`.",
    )
    position = serializers.CharField(help_text=_POSITION)


class ItemBatchSerializer(serializers.Serializer[Any]):
    items = serializers.ListField(child=ItemSerializer(), max_length=MAX_BATCH)


class UserSerializer(serializers.Serializer[Any]):
    external_id = serializers.CharField(max_length=LONGEST, help_text="Your name for them.")
    username = serializers.CharField(max_length=30, required=False, help_text="Left out: made from the external_id.")
    display_name = serializers.CharField(max_length=80, required=False)
    bio = serializers.CharField(max_length=280, required=False)
    region = serializers.CharField(max_length=64, required=False, help_text="Such as GB or US-CA.")
    is_private = serializers.BooleanField(required=False, help_text="Only approved followers see the posts.")
    shows_presence = serializers.BooleanField(
        required=False, help_text="Followers see when they are online or write a reply. Default: true."
    )


class StoredUserSerializer(UserSerializer):
    id = serializers.IntegerField(help_text="Their number here; `id:<number>` names them in addresses.")
    external_id = serializers.CharField(allow_null=True, help_text="Null for who signed up on the site.")
    created_at = serializers.DateTimeField()


class UserBatchSerializer(serializers.Serializer[Any]):
    users = serializers.ListField(child=UserSerializer(), max_length=MAX_BATCH)


class UpsertedSerializer(serializers.Serializer[Any]):
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()


class TokenLifetimeSerializer(serializers.Serializer[Any]):
    lifetime = serializers.IntegerField(
        min_value=access.SHORTEST, max_value=access.LONGEST, default=access.LIFETIME, help_text="Seconds."
    )


class AccessTokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(
        help_text="For the page of this one user; it holds a signature, and no secret of yours."
    )
    expires_in = serializers.IntegerField(help_text="Seconds.")
    url = serializers.URLField(help_text="The address to connect to (`url` of client.js).")


class EventSerializer(serializers.Serializer[Any]):
    event_id = serializers.CharField(
        max_length=64, help_text="Your own name for the event: sent again, it counts once."
    )
    user = serializers.CharField(max_length=LONGEST, help_text="external_id of the user, or id:<number>.")
    item = serializers.CharField(max_length=LONGEST, help_text="external_id of the item, or id:<number>.")
    kind = serializers.ChoiceField(choices=InteractionKind.choices)
    value = serializers.FloatField(required=False, min_value=0.5, max_value=5, help_text="Of a rate event: the stars.")
    occurred_at = serializers.DateTimeField(required=False, help_text="Left out: now.")
    region = serializers.CharField(required=False, max_length=60, help_text="Left out: the user's own.")
    recommendation_id = serializers.UUIDField(required=False, help_text="Of the slate that showed the item.")


class EventBatchSerializer(serializers.Serializer[Any]):
    events = serializers.ListField(child=EventSerializer(), max_length=MAX_BATCH)


class RecordedSerializer(serializers.Serializer[Any]):
    accepted = serializers.IntegerField(help_text="Stored just now.")
    duplicates = serializers.IntegerField(help_text="Stored before, or twice in this batch.")


class AnchorSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    title = serializers.CharField()


class RecommendedSerializer(serializers.Serializer[Any]):
    position = serializers.IntegerField()
    id = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    kind = serializers.CharField()
    title = serializers.CharField()
    url = serializers.CharField()
    image_url = serializers.CharField()
    source = serializers.CharField(  # type: ignore[assignment]  # the base class has an attribute of this name
        help_text="What proposed it: cf, content, trending, popular, …"
    )
    reason = serializers.CharField(help_text="What to tell the user, such as “Because you watched Heat”.")
    anchor = AnchorSerializer(allow_null=True, help_text="The item that the reason names.")
    score = serializers.FloatField()


class SlateSerializer(serializers.Serializer[Any]):
    recommendation_id = serializers.UUIDField(help_text="Send it with the events that follow from it.")
    served_by = serializers.CharField(help_text="Which way the slate was made; a fallback says so here.")
    items = RecommendedSerializer(many=True)


class LiveSlateSerializer(SlateSerializer):
    position = serializers.CharField(help_text=_POSITION)


class ProblemErrorSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField(required=False, help_text="Position in the batch, from 0.")
    field = serializers.CharField(help_text="Empty: the whole element.")
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457 problem details, the shape of every error."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField(required=False)
    request_id = serializers.CharField(help_text="Name it when you ask for help.")
    errors = ProblemErrorSerializer(many=True, required=False)  # type: ignore[assignment]  # as above
    error_count = serializers.IntegerField(required=False, help_text="`errors` lists at most 100 of them.")
