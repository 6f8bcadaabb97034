"""Hashtags and bookmarks as pages."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from feeds.actions import do_create_post
from feeds.models import Bookmark, Hashtag, Post
from recsys.accounts.models import User
from tests.web.pages import HTMX, assert_safe, queries_for, text_of

pytestmark = pytest.mark.django_db
HASHTAG_QUERIES, BOOKMARKS_QUERIES = 18, 18


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", display_name="Ana")


@pytest.fixture
def as_ana(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


def posts_in(response) -> list[int]:
    return [int(pk) for pk in re.findall(r'data-post="(\d+)"', response.content.decode())]


def write(author: User, tag: str = "jazz") -> Post:
    post = do_create_post(author=author, text="Hello")
    Hashtag.objects.create(post=post, tag=tag)
    return post


class TestHashtag:
    def test_a_visitor_may_look(self, client, ana):
        post = write(ana)
        response = client.get("/tags/jazz/")
        assert posts_in(response) == [post.pk]
        assert_safe(response)

    @pytest.mark.parametrize("written", ["jazz", "JAZZ", "Jazz", "%23jazz", "ＪＡＺＺ"])
    def test_however_it_is_written(self, as_ana, ana, written):
        post = write(ana)
        assert posts_in(as_ana.get(f"/tags/{written}/")) == [post.pk]

    def test_a_tag_that_nobody_used_is_empty(self, client):
        assert "Nobody has posted about #jazz" in text_of(client.get("/tags/jazz/"))

    @pytest.mark.parametrize("tag", ["%00", "x" * 500, "%23", "%23%23"])
    def test_what_cannot_be_a_tag_is_not_found(self, client, tag):
        assert client.get(f"/tags/{tag}/").status_code == 404

    def test_markup_in_a_tag_is_no_markup(self, client):
        assert "<b>" not in client.get("/tags/<b>/").content.decode()

    def test_older_posts_come_by_keyset(self, as_ana, ana):
        posts = [write(ana, "žižkov").pk for _ in range(22)][::-1]
        first = as_ana.get("/tags/žižkov/")
        (address,) = re.findall(r'hx-get="(/tags/[^"]+\?before=\d+)"', first.content.decode())
        rest = as_ana.get(address, headers=HTMX)
        assert posts_in(first) + posts_in(rest) == posts
        assert "<html" not in rest.content.decode()

    def test_queries_do_not_grow(self, as_ana, ana):
        write(ana)
        few = queries_for(as_ana, "/tags/jazz/")
        for _ in range(10):
            write(ana)
        many = queries_for(as_ana, "/tags/jazz/")
        assert len(many) <= len(few) <= HASHTAG_QUERIES, many


class TestBookmarks:
    def keep(self, user: User, count: int = 1) -> list[int]:
        posts = [do_create_post(author=user, text="Hello") for _ in range(count)]
        Bookmark.objects.bulk_create([Bookmark(user=user, post=post) for post in posts])
        return [post.pk for post in posts][::-1]

    def test_shows_ones_own_alone(self, as_ana, ana):
        mine = self.keep(ana)
        self.keep(User.objects.create_user("ben"))
        response = as_ana.get("/bookmarks/")
        assert posts_in(response) == mine
        assert_safe(response)

    def test_none_says_how_to_keep_one(self, as_ana):
        assert "Nothing kept yet" in text_of(as_ana.get("/bookmarks/"))

    def test_a_visitor_must_log_in(self, client):
        assert client.get("/bookmarks/").url.startswith(reverse("account_login"))

    def test_older_ones_come_by_keyset(self, as_ana, ana):
        mine = self.keep(ana, 23)
        first = as_ana.get("/bookmarks/")
        (address,) = re.findall(r'hx-get="(/bookmarks/\?before=\d+)"', first.content.decode())
        assert posts_in(first) + posts_in(as_ana.get(address, headers=HTMX)) == mine

    def test_queries_do_not_grow(self, as_ana, ana):
        self.keep(ana)
        few = queries_for(as_ana, "/bookmarks/")
        self.keep(ana, 10)
        many = queries_for(as_ana, "/bookmarks/")
        assert len(many) <= len(few) <= BOOKMARKS_QUERIES, many
