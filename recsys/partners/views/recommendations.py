from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from recsys.partners.addressing import find_item, find_user
from recsys.partners.representations import slate_body
from recsys.partners.serializers import (
    LiveSlateSerializer,
    RecommendationsQuery,
    SimilarQuery,
    SlateSerializer,
    TrendingQuery,
)
from recsys.partners.views.base import PartnerView, documented, query
from recsys.recommend import dashboards, news
from recsys.recommend.engine import recommend, similar, trending


class RecommendationsView(PartnerView):
    """For one user."""

    @documented(
        "Recommend items to a user",
        answer=LiveSlateSerializer,
        parameters=RecommendationsQuery,
        named=True,
        problems=(404,),
        tag="Recommendations",
        operation="recommend",
    )
    def get(self, request: Request, external_id: str) -> Response:
        """What the user did a moment ago counts already. Send the recommendation_id with the events that follow."""
        asked = query(request, RecommendationsQuery)
        user = find_user(external_id)
        region, position = asked.pop("region", "") or user.region, news.position_of(user.pk)
        return Response(slate_body(recommend(user=user, region=region, **asked)) | {"position": position})


class SimilarView(PartnerView):
    """For one item."""

    @documented(
        "Find similar items",
        answer=SlateSerializer,
        parameters=SimilarQuery,
        named=True,
        problems=(404,),
        tag="Recommendations",
        operation="similar_items",
    )
    def get(self, request: Request, external_id: str) -> Response:
        """By what they are about and by who liked them."""
        asked = query(request, SimilarQuery)
        return Response(slate_body(similar(item=find_item(external_id), **asked)))


class TrendingView(PartnerView):
    """For everybody."""

    @documented(
        "List what is trending",
        answer=LiveSlateSerializer,
        parameters=TrendingQuery,
        tag="Recommendations",
        operation="trending_items",
    )
    def get(self, request: Request) -> Response:
        """By recent activity in the region; where that is little, everywhere's."""
        asked = query(request, TrendingQuery)
        position = dashboards.position_of(asked["region"])
        return Response(slate_body(trending(**asked)) | {"position": position})
