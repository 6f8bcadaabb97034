from django.urls import path

from feeds.api.timelines import TimelineView
from feeds.views import home, lists, pages, people, posts

urlpatterns = [
    path("", home.home, name="home"),
    path("timeline/", home.timeline, name="timeline"),
    path("posts/", posts.compose, name="compose"),
    path("posts/<int:pk>/delete/", posts.delete_post, name="delete-post"),
    path("api/v1/users/<name:external_id>/timeline", TimelineView.as_view(), name="api-timeline"),
    path("tags/<str:tag>/", pages.hashtag, name="hashtag"),
    path("bookmarks/", pages.bookmarks, name="bookmarks"),
    path("lists/", lists.index, name="lists"),
    path("lists/<int:pk>/", lists.timeline, name="list"),
    path("lists/<int:pk>/edit/", lists.edit, name="list-edit"),
    path("lists/<int:pk>/delete/", lists.delete, name="list-delete"),
    path("lists/<int:pk>/add/", lists.add, name="list-add"),
    path("lists/<int:pk>/remove/<str:username>/", lists.remove, name="list-remove"),
    path("@<str:username>/lists/", lists.of_person, name="person-lists"),
    path("@<str:username>/", people.profile, name="profile"),
    path("@<str:username>/follow/", people.follow, name="follow"),
    path("@<str:username>/unfollow/", people.unfollow, name="unfollow"),
]
