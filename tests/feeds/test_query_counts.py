"""Every address that reads asks the database as often in a large community as in a small one: first and further pages,
the API's answers, and what staff look at.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from feeds.actions import do_bookmark, do_create_post, do_like_post, do_repost
from feeds.graph import do_block, do_change_privacy, do_follow, do_mute
from feeds.models import AccountList, AuthorOverride, Bookmark, Like, ListMember, Notification, Post
from feeds.top import top_page
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.outbox.testing import drain
from tests.feeds.graph import let_be_online
from tests.partners.conftest import api, client_row, make_api
from tests.web.pages import HTMX, queries_for

__all__ = ["api", "client_row", "make_api"]

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = {
    "home": "/",
    "timeline": "/timeline/",
    "top": "/?view=top",
    "post": "/posts/{post}/",
    "post-entry": "/posts/{post}/entry/",
    "why-post": "/posts/{post}/why/",
    "hashtag": "/tags/all/",
    "bookmarks": "/bookmarks/",
    "lists": "/lists/",
    "list": "/lists/{list}/",
    "list-edit": "/lists/{list}/edit/",
    "person-lists": "/@author/lists/",
    "blocked": "/accounts/privacy/blocked/",
    "muted": "/accounts/privacy/muted/",
    "follow-requests": "/follow-requests/",
    "sent-requests": "/follow-requests/sent/",
    "notifications": "/notifications/",
    "notification-people": "/notifications/like-{mine}/people/",
    "notifications-unseen": "/notifications/unseen/",
    "profile": "/@author/",
    "online": "/people/online/",
    "presence": "/@author/presence/",
    "followers": "/@author/followers/",
    "following": "/@author/following/",
}
ANSWERS = {
    "api-timeline": "/api/v1/users/me/timeline",
    "api-timeline-top": "/api/v1/users/me/timeline?view=top",
    "api-timeline-why": "/api/v1/users/me/timeline/why?post={post}",
    "api-position": "/api/v1/users/me/timeline/position",
    "api-post": "/api/v1/posts/{post}?reader=me",
    "api-author-posts": "/api/v1/users/author/posts?reader=me",
    "api-kept": "/api/v1/users/me/bookmarks",
    "api-lists": "/api/v1/users/me/lists",
    "api-list": "/api/v1/users/me/lists/{list}",
    "api-list-timeline": "/api/v1/users/me/lists/{list}/timeline",
    "api-list-members": "/api/v1/users/me/lists/{list}/members",
    "api-hashtag": "/api/v1/hashtags/all?reader=me",
    "api-notifications": "/api/v1/users/me/notifications",
    "api-notification-people": "/api/v1/users/me/notifications/people?group=like-{mine}",
    "api-follows": "/api/v1/users/me/follows",
    "api-followers": "/api/v1/users/author/followers",
    "api-follow-requests": "/api/v1/users/me/follow-requests",
    "api-sent-requests": "/api/v1/users/me/follow-requests/sent",
    "api-blocks": "/api/v1/users/me/blocks",
    "api-mutes": "/api/v1/users/me/mutes",
    "api-replies": "/api/v1/posts/{post}/replies",
    "api-suggestions": "/api/v1/users/me/suggestions",
}
# Pages that go on where another ended.
FURTHER_PAGES = {
    "timeline-further": "/timeline/?before={newest}",
    "top-further": "/timeline/?view=top&ranking={ranking}&before=1",
    "post-further": "/posts/{post}/?after={post}",
    "hashtag-further": "/tags/all/?before={newest}",
    "bookmarks-further": "/bookmarks/?before={kept}",
    "list-further": "/lists/{list}/?before={newest}",
    "blocked-further": "/accounts/privacy/blocked/?before={edge}",
    "muted-further": "/accounts/privacy/muted/?before={edge}",
    "follow-requests-further": "/follow-requests/?before={edge}",
    "sent-requests-further": "/follow-requests/sent/?before={edge}",
    "notification-people-further": "/notifications/like-{mine}/people/?before={edge}",
    "notifications-further": "/notifications/?before={told}",
    "profile-further": "/@author/?before={newest}",
    "profile-replies": "/@author/?replies=1&before={newest}",
    "followers-further": "/@author/followers/?before={edge}",
    "following-further": "/@author/following/?before={edge}",
}
FURTHER_ANSWERS = {
    "api-timeline-further": "/api/v1/users/me/timeline?before={newest}&limit=50",
    "api-top-further": "/api/v1/users/me/timeline?view=top&ranking={ranking}&before=1",
    "api-author-posts-further": "/api/v1/users/author/posts?reader=me&before={newest}",
    "api-kept-further": "/api/v1/users/me/bookmarks?before={kept}",
    "api-list-timeline-further": "/api/v1/users/me/lists/{list}/timeline?before={newest}",
    "api-hashtag-further": "/api/v1/hashtags/all?reader=me&before={newest}",
    "api-notifications-further": "/api/v1/users/me/notifications?before={told}",
    "api-notification-people-further": "/api/v1/users/me/notifications/people?group=like-{mine}&before={edge}",
    "api-follow-requests-further": "/api/v1/users/me/follow-requests?before={edge}",
    "api-sent-requests-further": "/api/v1/users/me/follow-requests/sent?before={edge}",
    "api-follows-further": "/api/v1/users/me/follows?before={edge}",
    "api-followers-further": "/api/v1/users/author/followers?before={edge}",
    "api-blocks-further": "/api/v1/users/me/blocks?before={edge}",
    "api-mutes-further": "/api/v1/users/me/mutes?before={edge}",
    "api-replies-further": "/api/v1/posts/{post}/replies?reader=me&after={post}",
}
ADMIN = {
    "posts": "/admin/feeds/post/",
    "post-with-deliveries": "/admin/feeds/post/{post}/change/",
    "follows": "/admin/feeds/follow/",
    "follow-requests": "/admin/feeds/followrequest/",
    "blocks": "/admin/feeds/block/",
    "mutes": "/admin/feeds/mute/",
    "notifications": "/admin/feeds/notification/",
    "author-stats": "/admin/feeds/authorstats/",
    "overrides": "/admin/feeds/authoroverride/",
    "policy": "/admin/feeds/fanoutpolicy/1/change/",
    "why": "/admin/feeds/post/why/?reader=me&post={post}",
    "timeline": "/admin/feeds/post/timeline/?reader=me",
    "log-entries": "/admin/admin/logentry/",
}
# A long page of a home timeline, which asks once more to go on below its windows where these end. Nothing else does.
BELOW_WINDOWS = {"api-timeline-further"}
# Forms of one thing, and addresses that only write.
OTHERS = {
    "api-bookmarks", "api-likes", "api-notification-preferences", "api-notifications-read", "api-notifications-seen",
    "api-posts", "api-reposts", "approve-request", "attachable", "block", "bookmark-post", "compose", "delete-post",
    "edit-post", "follow", "like-post", "list-add", "list-delete", "list-remove", "mute", "notification-open",
    "notification-preferences", "notifications-read", "notifications-seen", "privacy", "reject-request",
    "remove-follower", "repost-post", "unblock", "unbookmark-post", "unfollow", "unlike-post", "unmute",
    "unrepost-post",
}  # fmt: skip


FEW, MORE = 2, 10  # circles of people: pages that are not full, and full ones


class Community:
    """A reader, an author whom they follow, and around both of them as many people as `grow` is told."""

    def __init__(self) -> None:
        self.me, self.author = (User.objects.create_user(name, external_id=name) for name in ("me", "author"))
        self.list = AccountList.objects.create(owner=self.me, name="list")
        self.post = do_create_post(author=self.author, text="hello #all @me")
        do_follow(follower=self.me, followee=self.author)
        do_change_privacy(user=self.me, is_private=True)
        self.mine = do_create_post(author=self.me, text="mine")
        self.numbers = count()

    def grow(self, circles: int) -> None:
        """In each circle people stand to the reader in every way, and do all that one can do."""
        for _ in range(circles):
            n = next(self.numbers)
            pushed, pulled, fan, muted, blocked = (User.objects.create_user(f"{word}{n}") for word in "abcde")
            AuthorOverride.objects.create(author=pulled, mode="pull")
            film = Item.objects.create(kind="film", title="Heat")
            for one in (pushed, pulled, muted):
                do_follow(follower=self.me, followee=one)
                do_follow(follower=one, followee=self.author)
                do_follow(follower=self.author, followee=one)
                ListMember.objects.create(list=self.list, member=one)
                post = do_create_post(author=one, text="hello #all @author https://example.org", attached=film)
                do_create_post(author=one, text="hello", reply_to=self.post)
                do_like_post(user=self.me, post=post)
                do_bookmark(user=self.me, post=post)
                theirs = do_create_post(
                    author=self.author, text="hello #all", image_url="https://a.example/b", image_alt="b"
                )
            AccountList.objects.create(owner=self.me, name=f"list {n}")
            do_repost(user=pushed, post=theirs)
            if n % 2 == 0:  # more of these, which home timelines leave out, and pages would go on below the windows
                do_repost(user=self.author, post=post)
            do_follow(follower=fan, followee=self.me)
            Like.objects.bulk_create(Like(user=one, post=self.mine) for one in (pushed, pulled))
            do_change_privacy(user=fan, is_private=True)
            do_follow(follower=self.me, followee=fan)
            do_mute(muter=self.me, muted=muted)
            do_block(blocker=self.me, blocked=blocked)
            let_be_online(self.author, pushed, pulled, fan, muted, blocked)
            LogEntry.objects.create(user=pushed, action_flag=CHANGE, object_repr="it", change_message="Mode: 1 → 2")
        drain()

    def addresses(self, patterns: dict[str, str]) -> dict[str, str]:
        """With what there is now: further pages begin below the newest, so they are as full as there is more."""
        told = newest(Notification.objects.filter(recipient=self.me))
        values = {
            "post": self.post.pk,
            "list": self.list.pk,
            "mine": self.mine.pk,
            "newest": newest(Post.objects),
            "kept": newest(Bookmark.objects),
            "told": f"{told}-{told}",
            "edge": 2**62,
            "ranking": top_page(reader=self.me, limit=1).recommendation_id,
        }
        return {name: pattern.format(**values) for name, pattern in patterns.items()}


def newest(rows: Any) -> int:
    return rows.order_by("-pk").values_list("pk", flat=True)[0]


def test_a_page_asks_as_often_whatever_the_size(client: Client, valkey) -> None:
    community = Community()
    client.force_login(community.me)
    assert not _growth(community, PAGES | FURTHER_PAGES, lambda address: _count_page(client, address))


def test_an_answer_of_the_api_asks_as_often_whatever_the_size(api, valkey) -> None:
    community = Community()
    assert not _growth(community, ANSWERS | FURTHER_ANSWERS, lambda address: _count_answer(api, address))


def test_a_page_of_the_admin_asks_as_often_whatever_the_size(client: Client, valkey) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    assert not _growth(Community(), ADMIN, lambda address: _count_page(client, address))


def test_no_address_is_left_out() -> None:
    """A new address of the feeds is either counted above, or said to read nothing that grows."""
    from feeds.urls import urlpatterns

    names = {pattern.name for pattern in urlpatterns}
    assert names - PAGES.keys() - ANSWERS.keys() == OTHERS


def _growth(community: Community, patterns: dict[str, str], asked: Callable[[str], int]) -> dict[str, tuple[int, int]]:
    """Where more was asked in the larger community."""
    counts = []
    for circles in (FEW, MORE):
        community.grow(circles)
        counts.append({name: asked(address) for name, address in community.addresses(patterns).items()})
    few, many = counts
    allowed = dict.fromkeys(BELOW_WINDOWS, 1)
    return {name: (few[name], many[name]) for name in few if many[name] > few[name] + allowed.get(name, 0)}


def _count_page(client: Client, address: str) -> int:
    options: dict[str, Any] = {"headers": HTMX} if address.startswith(PAGES["timeline"]) else {}
    assert client.get(address, **options).status_code == 200, address  # what is cold is warm now
    return len(queries_for(client, address, **options))


def _count_answer(api, address: str) -> int:
    api.get(address)
    with CaptureQueriesContext(connection) as queries:
        answer = api.get(address)
    assert answer.status_code == 200, (address, answer.content)
    return len(queries.captured_queries)
