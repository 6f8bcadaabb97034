from django.urls import path

from feeds.api.graph import BlocksView, FollowersView, FollowRequestsView, FollowsView, MutesView
from feeds.api.lists import ListMembersView, ListsView, ListTimelineView, ListView
from feeds.api.notifications import NotificationsView, PreferencesView, ReadView, SeenView
from feeds.api.pages import AuthorPostsView, HashtagView, KeptView
from feeds.api.posts import BookmarksView, LikesView, PostsView, PostView, RepostsView
from feeds.api.timelines import PositionView, TimelineView
from feeds.api.why import TimelineWhyView
from feeds.views import graph, home, lists, notifications, pages, people, posts, privacy, why

urlpatterns = [
    path("", home.home, name="home"),
    path("timeline/", home.timeline, name="timeline"),
    path("posts/", posts.compose, name="compose"),
    path("posts/attachable/", posts.attachable, name="attachable"),
    path("posts/<int:pk>/", posts.post, name="post"),
    path("posts/<int:pk>/entry/", posts.entry, name="post-entry"),
    path("posts/<int:pk>/why/", why.why, name="why-post"),
    path("posts/<int:pk>/edit/", posts.edit_post, name="edit-post"),
    path("posts/<int:pk>/delete/", posts.delete_post, name="delete-post"),
    *(path(f"posts/<int:pk>/{deed}/", posts.act, {"deed": deed}, name=f"{deed}-post") for deed in posts.DEEDS),
    path("api/v1/users/<name:external_id>/timeline", TimelineView.as_view(), name="api-timeline"),
    path("api/v1/posts", PostsView.as_view(), name="api-posts"),
    path("api/v1/posts/<int:pk>", PostView.as_view(), name="api-post"),
    path("api/v1/posts/<int:pk>/likes", LikesView.as_view(), name="api-likes"),
    path("api/v1/posts/<int:pk>/reposts", RepostsView.as_view(), name="api-reposts"),
    path("api/v1/posts/<int:pk>/bookmarks", BookmarksView.as_view(), name="api-bookmarks"),
    path("api/v1/users/<name:external_id>/timeline/why", TimelineWhyView.as_view(), name="api-timeline-why"),
    path("api/v1/users/<name:external_id>/timeline/position", PositionView.as_view(), name="api-position"),
    path("api/v1/users/<name:external_id>/posts", AuthorPostsView.as_view(), name="api-author-posts"),
    path("api/v1/users/<name:external_id>/bookmarks", KeptView.as_view(), name="api-kept"),
    path("api/v1/users/<name:external_id>/lists", ListsView.as_view(), name="api-lists"),
    path("api/v1/users/<name:external_id>/lists/<int:pk>", ListView.as_view(), name="api-list"),
    path(
        "api/v1/users/<name:external_id>/lists/<int:pk>/timeline", ListTimelineView.as_view(), name="api-list-timeline"
    ),
    path("api/v1/users/<name:external_id>/lists/<int:pk>/members", ListMembersView.as_view(), name="api-list-members"),
    path("api/v1/hashtags/<str:tag>", HashtagView.as_view(), name="api-hashtag"),
    path("api/v1/users/<name:external_id>/follows", FollowsView.as_view(), name="api-follows"),
    path("api/v1/users/<name:external_id>/followers", FollowersView.as_view(), name="api-followers"),
    path("api/v1/users/<name:external_id>/follow-requests", FollowRequestsView.as_view(), name="api-follow-requests"),
    path("api/v1/users/<name:external_id>/blocks", BlocksView.as_view(), name="api-blocks"),
    path("api/v1/users/<name:external_id>/mutes", MutesView.as_view(), name="api-mutes"),
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
    path("notifications/", notifications.index, name="notifications"),
    path("notifications/unseen/", notifications.unseen, name="notifications-unseen"),
    path("notifications/seen/", notifications.mark_seen, name="notifications-seen"),
    path("notifications/read/", notifications.mark_read, name="notifications-read"),
    path("notifications/open/", notifications.open_group, name="notification-open"),
    path("accounts/notifications/", notifications.preferences, name="notification-preferences"),
    path("api/v1/users/<name:external_id>/notifications", NotificationsView.as_view(), name="api-notifications"),
    path("api/v1/users/<name:external_id>/notifications/seen", SeenView.as_view(), name="api-notifications-seen"),
    path("api/v1/users/<name:external_id>/notifications/read", ReadView.as_view(), name="api-notifications-read"),
    path(
        "api/v1/users/<name:external_id>/notifications/preferences",
        PreferencesView.as_view(),
        name="api-notification-preferences",
    ),
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
