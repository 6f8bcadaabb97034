"""Timelines of authors, hashtags and bookmarks over the partner API."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from feeds.actions import do_create_post
from feeds.graph import do_follow
from feeds.models import Bookmark, Visibility
from recsys.accounts.models import User
from tests.partners.assertions import assert_problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", external_id="ana")


@pytest.fixture
def ben() -> User:
    return User.objects.create_user("ben", external_id="ben")


def ids(api: APIClient, address: str) -> list[int]:
    answer = api.get(address)
    assert answer.status_code == 200, answer.content
    return [post["id"] for post in answer.json()["posts"]]


def through(api: APIClient, address: str) -> list[int]:
    """The ids of all pages of two posts."""
    seen: list[int] = []
    body: dict[str, Any] = api.get(f"{address}?limit=2").json()
    while True:
        seen += [post["id"] for post in body["posts"]]
        if body["next_before"] is None:
            return seen
        body = api.get(f"{address}?limit=2&before={body['next_before']}").json()


class TestAuthor:
    def test_shows_what_the_reader_may_see(self, reading_api, ana, ben):
        public = do_create_post(author=ben, text="for all").pk
        followers = do_create_post(author=ben, text="for some", visibility=Visibility.FOLLOWERS).pk
        assert ids(reading_api, "/api/v1/users/ben/posts") == [public]
        assert ids(reading_api, "/api/v1/users/ben/posts?reader=ana") == [public]
        assert ids(reading_api, "/api/v1/users/ben/posts?reader=ben") == [followers, public]
        do_follow(follower=ana, followee=ben)
        assert ids(reading_api, "/api/v1/users/ben/posts?reader=ana") == [followers, public]

    def test_shows_replies_when_asked(self, reading_api, ana, ben):
        asked = do_create_post(author=ana, text="?")
        post = do_create_post(author=ben, text="hello").pk
        answer = do_create_post(author=ben, text="!", reply_to=asked).pk
        assert ids(reading_api, "/api/v1/users/ben/posts") == [post]
        assert ids(reading_api, "/api/v1/users/ben/posts?replies=true") == [answer, post]

    def test_pages(self, reading_api, ben):
        posts = [do_create_post(author=ben, text=f"Post {number}").pk for number in range(5)][::-1]
        assert through(reading_api, "/api/v1/users/ben/posts") == posts

    def test_nobody_is_not_found(self, reading_api, ben):
        assert_problem(reading_api.get("/api/v1/users/nobody/posts"), 404, "nobody")
        assert_problem(reading_api.get("/api/v1/users/ben/posts?reader=nobody"), 404, "nobody")


class TestHashtag:
    def test_pages_through_the_posts_with_it(self, reading_api, ben):
        posts = [do_create_post(author=ben, text=f"Post {number} #Jazz").pk for number in range(5)][::-1]
        do_create_post(author=ben, text="#rock")
        assert through(reading_api, "/api/v1/hashtags/JAZZ") == posts

    def test_shows_what_the_reader_may_see(self, reading_api, ana, ben):
        post = do_create_post(author=ben, text="#jazz", visibility=Visibility.FOLLOWERS).pk
        assert ids(reading_api, "/api/v1/hashtags/jazz?reader=ana") == []
        assert ids(reading_api, "/api/v1/hashtags/jazz?reader=ben") == [post]

    @pytest.mark.parametrize("tag", ["%23jazz", "a%20b", "2024", "x" * 200])
    def test_what_is_no_tag_is_explained(self, reading_api, tag):
        assert_problem(reading_api.get(f"/api/v1/hashtags/{tag}"), 404, "hashtag")


class TestBookmarks:
    def test_pages_from_the_last_one_kept(self, reading_api, ana, ben):
        posts = [do_create_post(author=ben, text=f"Post {number}") for number in range(5)]
        kept = [posts[2], posts[4], posts[0], posts[1]]
        for post in kept:
            Bookmark.objects.create(user=ana, post=post)
        assert through(reading_api, "/api/v1/users/ana/bookmarks") == [post.pk for post in reversed(kept)]
        assert ids(reading_api, "/api/v1/users/ben/bookmarks") == []


@pytest.mark.parametrize("path", ["users/ben/posts", "hashtags/jazz", "users/ben/bookmarks"])
@pytest.mark.parametrize("parameters", ["before=0", "before=x", "limit=0", "limit=101", "after=3"])
def test_bad_parameters_are_named(reading_api, ben, path, parameters):
    problem = assert_problem(reading_api.get(f"/api/v1/{path}?{parameters}"), 400)
    assert problem["errors"][0]["field"] == parameters.split("=")[0]


@pytest.mark.parametrize("path", ["users/ben/posts", "hashtags/jazz", "users/ben/bookmarks"])
def test_a_key_is_needed(ben, path):
    assert_problem(APIClient().get(f"/api/v1/{path}"), 401)
