"""`/api/`. feeds/urls.py adds a user's timeline (see `addressing.SUBRESOURCES`)."""

from django.urls import path

from recsys.partners.views.docs import DocsView, SchemaView
from recsys.partners.views.events import EventsView
from recsys.partners.views.items import ItemsView, ItemView
from recsys.partners.views.realtime import RealtimeTokenView
from recsys.partners.views.recommendations import RecommendationsView, SimilarView, TrendingView
from recsys.partners.views.users import UsersView, UserView

urlpatterns = [
    path("schema/", SchemaView.as_view(), name="api-schema"),
    path("docs/", DocsView.as_view(), name="api-docs"),
    path("v1/items", ItemsView.as_view(), name="api-items"),
    path("v1/items/<name:external_id>/similar", SimilarView.as_view(), name="api-similar"),
    path("v1/items/<name:external_id>", ItemView.as_view(), name="api-item"),
    path("v1/users", UsersView.as_view(), name="api-users"),
    path("v1/users/<name:external_id>/recommendations", RecommendationsView.as_view(), name="api-recommendations"),
    path("v1/users/<name:external_id>/realtime-token", RealtimeTokenView.as_view(), name="api-realtime-token"),
    path("v1/users/<name:external_id>", UserView.as_view(), name="api-user"),
    path("v1/events", EventsView.as_view(), name="api-events"),
    path("v1/trending", TrendingView.as_view(), name="api-trending"),
]
