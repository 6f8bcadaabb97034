"""Every address that reads asks the database as often in a large community as in a small one."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from feeds.actions import do_bookmark, do_create_post, do_like_post, do_repost
from feeds.graph import do_block, do_change_privacy, do_follow, do_mute
from feeds.models import AccountList, AuthorOverride, Like, ListMember
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.outbox.testing import drain
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
            if n % 2:  # more of these, which home timelines leave out, and pages would go on below the windows
                do_repost(user=self.author, post=post)
            do_follow(follower=fan, followee=self.me)
            Like.objects.bulk_create(Like(user=one, post=self.mine) for one in (pushed, pulled))
            do_change_privacy(user=fan, is_private=True)
            do_follow(follower=self.me, followee=fan)
            do_mute(muter=self.me, muted=muted)
            do_block(blocker=self.me, blocked=blocked)
        drain()

    def address(self, pattern: str) -> str:
        return pattern.format(post=self.post.pk, list=self.list.pk, mine=self.mine.pk)


def test_a_page_asks_as_often_whatever_the_size(client: Client, valkey) -> None:
    community = Community()
    client.force_login(community.me)
    community.grow(FEW)
    few = {name: _count_page(client, community.address(address)) for name, address in PAGES.items()}
    community.grow(MORE)
    many = {name: _count_page(client, community.address(address)) for name, address in PAGES.items()}
    assert not _growth(few, many)


def test_an_answer_of_the_api_asks_as_often_whatever_the_size(api, valkey) -> None:
    community = Community()
    community.grow(FEW)
    few = {name: _count_answer(api, community.address(address)) for name, address in ANSWERS.items()}
    community.grow(MORE)
    many = {name: _count_answer(api, community.address(address)) for name, address in ANSWERS.items()}
    assert not _growth(few, many)


def test_no_address_is_left_out() -> None:
    """A new address of the feeds is either counted above, or said to read nothing that grows."""
    from feeds.urls import urlpatterns

    names = {pattern.name for pattern in urlpatterns}
    assert names - PAGES.keys() - ANSWERS.keys() == OTHERS


def _growth(few: dict[str, int], many: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Where more was asked; one more is what a home timeline may take to go on below its windows."""
    return {name: (few[name], many[name]) for name in few if many[name] > few[name] + 1}


def _count_page(client: Client, address: str) -> int:
    options: dict[str, Any] = {"headers": HTMX} if address == PAGES["timeline"] else {}
    assert client.get(address, **options).status_code == 200, address  # what is cold is warm now
    return len(queries_for(client, address, **options))


def _count_answer(api, address: str) -> int:
    api.get(address)
    with CaptureQueriesContext(connection) as queries:
        answer = api.get(address)
    assert answer.status_code == 200, (address, answer.content)
    return len(queries.captured_queries)
