from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from feeds.actions import do_create_post, do_repost
from feeds.models import Bookmark, Like, Post
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.partners.actions import do_create_client, do_create_key
from tests.feeds.graph import let_follow
from tests.partners.assertions import assert_problem

pytestmark = pytest.mark.django_db
POSTS = "/api/v1/posts"


@pytest.fixture
def api() -> APIClient:
    key = do_create_key(client=do_create_client(name="Web shop"), scopes=["read", "write"])
    api = APIClient(raise_request_exception=False)
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {key.text}")
    return api


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", external_id="ana", display_name="Ana")


@pytest.fixture
def ben() -> User:
    return User.objects.create_user("ben", external_id="b/ben")


@pytest.fixture
def film() -> Item:
    return Item.objects.create(kind="film", title="Heat", external_id="film/949")


def write(api: APIClient, **body: Any) -> Any:
    return api.post(POSTS, {"author": "ana", "text": "Hello", **body}, format="json")


class TestWriting:
    def test_everything_that_a_post_can_hold(self, api: APIClient, ana: User, ben: User, film: Item) -> None:
        parent = do_create_post(author=ben, text="?")
        response = write(
            api,
            text="Seen #heist with @ben",
            external_id="p/1",
            visibility="followers",
            reply_to=parent.pk,
            attached="film/949",
            image_url="https://example.org/a.png",
            image_alt="A heron",
        )
        assert response.status_code == 200, response.content
        body = response.json()
        post = Post.objects.get(author=ana)
        assert (body["id"], body["external_id"], body["visibility"]) == (post.pk, "p/1", "followers")
        assert body["reply_to"]["id"] == parent.pk
        assert body["reply_to"]["author"]["external_id"] == "b/ben"
        assert body["attached"]["external_id"] == "film/949"
        assert body["image"] == {"url": "https://example.org/a.png", "alt": "A heron"}
        assert body["counts"] == {"likes": 0, "reposts": 0, "replies": 0}
        assert (body["repost_of"], body["edited_at"]) == (None, None)

    def test_sent_again_it_is_the_same_post(self, api: APIClient, ana: User, ben: User) -> None:
        first = write(api, external_id="p/1").json()
        assert write(api, external_id="p/1", text="Other words").json() == first
        assert Post.objects.count() == 1
        assert_problem(write(api, external_id="p/1", author="b/ben"), 422, "external_id")

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"text": ""}, "text"),
            ({"text": None}, "text"),
            ({"text": ["x"]}, "text"),
            ({"text": "x" * 2001}, "text"),
            ({"author": "nobody"}, "author"),
            ({"author": None}, "author"),
            ({"author": {"id": 1}}, "author"),
            ({"visibility": "all"}, "visibility"),
            ({"visibility": 1}, "visibility"),
            ({"reply_to": 0}, "reply_to"),
            ({"reply_to": True}, "reply_to"),
            ({"reply_to": 2**62}, "reply_to"),
            ({"reply_to": "1"}, "reply_to"),
            ({"attached": "film/0"}, "attached"),
            ({"attached": 7}, "attached"),
            ({"image_url": "javascript:alert(1)", "image_alt": "x"}, "image_url"),
            ({"image_url": "https://example.org/a.png"}, "image_alt"),
            ({"image_url": 7}, "image_url"),
            ({"external_id": ""}, "external_id"),
            ({"external_id": "id:7"}, "external_id"),
            ({"external_id": "x" * 129}, "external_id"),
            ({"mode": "pull"}, "mode"),
            ({"created_at": "2020-01-01T00:00:00Z"}, "created_at"),
        ],
    )
    def test_what_is_wrong_is_named(self, api: APIClient, ana: User, body: dict[str, Any], field: str) -> None:
        problem = assert_problem(write(api, **body), 422)
        assert [error["field"] for error in problem["errors"]] == [field]
        assert not Post.objects.exists()

    def test_what_is_missing_is_named(self, api: APIClient) -> None:
        problem = assert_problem(api.post(POSTS, {}, format="json"), 422)
        assert [error["field"] for error in problem["errors"]] == ["author", "text"]
        assert_problem(api.post(POSTS, [], format="json"), 400)

    def test_a_reply_to_what_the_author_may_not_see_is_refused(self, api: APIClient, ana: User, ben: User) -> None:
        parent = do_create_post(author=ben, text="?", visibility="private")
        assert_problem(write(api, reply_to=parent.pk), 422, "reply_to")

    def test_inactive_people_do_not_write(self, api: APIClient, ana: User) -> None:
        User.objects.update(is_active=False)
        assert_problem(write(api), 422, "author")


class TestReading:
    def test_it_is_as_the_reader_sees_it(self, api: APIClient, ana: User, ben: User) -> None:
        post = do_create_post(author=ben, text="For some", visibility="followers")
        address = f"{POSTS}/{post.pk}"
        assert_problem(api.get(address), 404)
        assert_problem(api.get(f"{address}?reader=ana"), 404)
        let_follow([ana], [ben])
        body = api.get(f"{address}?reader=ana").json()
        assert body["text"] == "For some"
        assert_problem(api.get(f"{address}?reader=nobody"), 404, "nobody")
        assert_problem(api.get(f"{address}?raeder=ana"), 400, "raeder")

    def test_a_repost_holds_what_it_shows(self, api: APIClient, ana: User, ben: User) -> None:
        post = do_create_post(author=ben, text="Hello")
        repost = do_repost(user=ana, post=post)
        body = api.get(f"{POSTS}/{repost.pk}?reader=ana").json()
        assert (body["text"], body["author"]["username"]) == ("", "ana")
        assert (body["repost_of"]["id"], body["repost_of"]["text"]) == (post.pk, "Hello")
        assert [person["username"] for person in body["reposters"]] == ["ana"]
        assert body["repost_of"]["counts"]["reposts"] == 1
        assert body["repost_of"]["reader"]["reposted"] is True

    def test_the_original_says_who_reposted_it(self, api: APIClient, ana: User, ben: User) -> None:
        cy, dee = (User.objects.create_user(name) for name in ("cy", "dee"))
        let_follow([ana], [ben, cy])
        post = do_create_post(author=ben, text="Hello")
        for other in (cy, dee):
            do_repost(user=other, post=post)
        body = api.get(f"{POSTS}/{post.pk}?reader=ana").json()
        assert ([person["username"] for person in body["reposters"]], body["more_reposters"]) == (["cy"], 0)
        assert body["repost_of"] is None
        assert api.get(f"{POSTS}/{post.pk}").json()["reposters"] == []

    @pytest.mark.parametrize("pk", ["0", "1", "9" * 30])
    def test_nothing_is_not_found(self, api: APIClient, pk: str) -> None:
        assert_problem(api.get(f"{POSTS}/{pk}"), 404)


class TestEditing:
    def test_what_is_left_out_stays(self, api: APIClient, ana: User, film: Item) -> None:
        post = do_create_post(author=ana, text="One", attached=film, visibility="followers")
        response = api.patch(f"{POSTS}/{post.pk}", {"user": "ana", "text": "Two"}, format="json")
        assert response.status_code == 200, response.content
        body = response.json()
        assert (body["text"], body["attached"]["title"], body["visibility"]) == ("Two", "Heat", "followers")
        assert body["edited_at"]
        body = api.patch(f"{POSTS}/{post.pk}", {"user": "ana", "attached": None}, format="json").json()
        assert (body["text"], body["attached"]) == ("Two", None)

    def test_only_the_author_may_and_never_whom_it_is_for(self, api: APIClient, ana: User, ben: User) -> None:
        address = f"{POSTS}/{do_create_post(author=ana, text='One').pk}"
        assert_problem(api.patch(address, {"user": "b/ben", "text": "Two"}, format="json"), 403, "Only the author")
        assert_problem(api.patch(address, {"text": "Two"}, format="json"), 422, "user")
        assert_problem(api.patch(address, {"user": "ana", "visibility": "private"}, format="json"), 422, "visibility")
        assert_problem(api.patch(address, {"user": "ana", "text": ""}, format="json"), 422, "text")
        assert Post.objects.get().text == "One"


class TestDeleting:
    def test_the_author_may(self, api: APIClient, ana: User, ben: User) -> None:
        address = f"{POSTS}/{do_create_post(author=ana, text='One').pk}"
        assert_problem(api.delete(f"{address}?user=b/ben"), 403, "Only the author")
        assert_problem(api.delete(address), 400, "user")
        assert api.delete(f"{address}?user=ana").status_code == 204
        assert_problem(api.delete(f"{address}?user=ana"), 404)
        assert not Item.objects.exists()

    def test_the_rights_of_staff_are_not_for_partners(self, api: APIClient, ana: User) -> None:
        boss = User.objects.create_superuser("boss", external_id="boss")
        address = f"{POSTS}/{do_create_post(author=ana, text='One').pk}"
        for name in ("boss", f"id:{boss.pk}"):
            assert_problem(api.delete(f"{address}?user={name}"), 403, "Only the author")
        assert Post.objects.exists()
        theirs = f"{POSTS}/{do_create_post(author=boss, text='Two').pk}"
        assert api.delete(f"{theirs}?user=boss").status_code == 204


class TestDeeds:
    @pytest.mark.parametrize(("word", "model"), [("likes", Like), ("reposts", Post), ("bookmarks", Bookmark)])
    def test_are_done_once_and_taken_back(
        self, api: APIClient, ana: User, ben: User, word: str, model: type[Any]
    ) -> None:
        address = f"{POSTS}/{do_create_post(author=ben, text='Hello').pk}/{word}"
        before = model.objects.count()
        for _ in range(2):
            response = api.post(address, {"user": "ana"}, format="json")
            assert response.status_code == 200, response.content
        body = response.json()["repost_of"] or response.json()
        assert True in body["reader"].values()
        assert model.objects.count() == before + 1
        for _ in range(2):
            assert api.delete(f"{address}?user=ana").status_code == 204
        assert model.objects.count() == before

    @pytest.mark.parametrize("word", ["likes", "reposts", "bookmarks"])
    def test_not_with_what_one_may_not_see_nor_without_a_name(
        self, api: APIClient, ana: User, ben: User, word: str
    ) -> None:
        address = f"{POSTS}/{do_create_post(author=ben, text='Hello', visibility='followers').pk}/{word}"
        assert_problem(api.post(address, {"user": "ana"}, format="json"), 404)
        assert_problem(api.post(address, {}, format="json"), 422, "user")
        assert_problem(api.post(address, {"user": "nobody"}, format="json"), 422, "user")
        assert_problem(api.delete(f"{address}?user=ana"), 404)

    def test_ones_own_is_not_reposted(self, api: APIClient, ana: User) -> None:
        address = f"{POSTS}/{do_create_post(author=ana, text='Hello').pk}/reposts"
        assert_problem(api.post(address, {"user": "ana"}, format="json"), 422, "your own")


def test_a_reading_key_does_not_write(ana: User) -> None:
    key = do_create_key(client=do_create_client(name="Reader"), scopes=["read"])
    api = APIClient(raise_request_exception=False)
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {key.text}")
    post = do_create_post(author=ana, text="Hello")
    assert_problem(write(api), 403)
    for word in ("likes", "reposts", "bookmarks"):
        assert_problem(api.post(f"{POSTS}/{post.pk}/{word}", {"user": "ana"}, format="json"), 403)
    assert_problem(api.patch(f"{POSTS}/{post.pk}", {"user": "ana", "text": "x"}, format="json"), 403)
    assert_problem(api.delete(f"{POSTS}/{post.pk}?user=ana"), 403)
    assert Post.objects.get().text == "Hello"


class TestReplies:
    def test_come_oldest_first_page_by_page(self, api: APIClient, ana: User, ben: User) -> None:
        parent = do_create_post(author=ana, text="?")
        answers = [do_create_post(author=ben, text=str(place), reply_to=parent).pk for place in range(3)]
        first = api.get(f"{POSTS}/{parent.pk}/replies?limit=2").json()
        assert [post["id"] for post in first["posts"]] == answers[:2]
        last = api.get(f"{POSTS}/{parent.pk}/replies?limit=2&after={first['next_after']}").json()
        assert ([post["id"] for post in last["posts"]], last["next_after"]) == (answers[2:], None)

    def test_are_as_the_reader_may_see_them(self, api: APIClient, ana: User, ben: User) -> None:
        parent = do_create_post(author=ana, text="?")
        do_create_post(author=ben, text="for those who follow me", visibility="followers", reply_to=parent)
        address = f"{POSTS}/{parent.pk}/replies"
        assert api.get(address).json()["posts"] == api.get(f"{address}?reader=ana").json()["posts"] == []
        assert len(api.get(f"{address}?reader=b%2Fben").json()["posts"]) == 1
        hidden = do_create_post(author=ana, text="only me", visibility="private")
        assert_problem(api.get(f"{POSTS}/{hidden.pk}/replies"), 404)
        assert_problem(api.get(f"{address}?after=x"), 400, "after")
