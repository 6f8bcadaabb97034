from django.urls import path

from feeds.api.timelines import TimelineView
from feeds.views import home, people, posts

urlpatterns = [
    path("", home.home, name="home"),
    path("timeline/", home.timeline, name="timeline"),
    path("posts/", posts.compose, name="compose"),
    path("posts/<int:pk>/delete/", posts.delete_post, name="delete-post"),
    path("api/v1/users/<name:external_id>/timeline", TimelineView.as_view(), name="api-timeline"),
    path("@<str:username>/", people.profile, name="profile"),
    path("@<str:username>/follow/", people.follow, name="follow"),
    path("@<str:username>/unfollow/", people.unfollow, name="unfollow"),
]
