from django.urls import path

from feeds.api.timelines import TimelineView
from feeds.views import graph, home, lists, pages, people, posts, privacy

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
    path("accounts/privacy/", privacy.privacy, name="privacy"),
    path("accounts/privacy/blocked/", privacy.blocked, name="blocked"),
    path("accounts/privacy/muted/", privacy.muted, name="muted"),
    path("follow-requests/", privacy.follow_requests, name="follow-requests"),
    path("@<str:username>/", people.profile, name="profile"),
    path("@<str:username>/followers/", people.followers, name="followers"),
    path("@<str:username>/following/", people.following, name="following"),
    path("@<str:username>/follow/", graph.follow, name="follow"),
    path("@<str:username>/unfollow/", graph.unfollow, name="unfollow"),
    path("@<str:username>/remove/", graph.remove_follower, name="remove-follower"),
    path("@<str:username>/block/", graph.block, name="block"),
    path("@<str:username>/unblock/", graph.unblock, name="unblock"),
    path("@<str:username>/mute/", graph.mute, name="mute"),
    path("@<str:username>/unmute/", graph.unmute, name="unmute"),
    path("@<str:username>/approve/", graph.approve, name="approve-request"),
    path("@<str:username>/reject/", graph.reject, name="reject-request"),
]
