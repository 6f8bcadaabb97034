from django.urls import path

from feeds import views
from feeds.api.timelines import TimelineView

urlpatterns = [
    path("", views.home, name="home"),
    path("timeline/", views.timeline, name="timeline"),
    path("posts/", views.compose, name="compose"),
    path("posts/<int:pk>/delete/", views.delete_post, name="delete-post"),
    path("api/v1/users/<name:external_id>/timeline", TimelineView.as_view(), name="api-timeline"),
    path("@<str:username>/", views.profile, name="profile"),
    path("@<str:username>/follow/", views.follow, name="follow"),
    path("@<str:username>/unfollow/", views.unfollow, name="unfollow"),
]
