from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from feeds.actions import do_create_post, do_delete_post
from feeds.audience import chunks, followers_of
from feeds.graph import do_follow
from feeds.models import Post, ReadingPosition
from feeds.rebuild import rebuild_chunks
from recsys.accounts.models import User
from recsys.partners.actions import do_create_client, do_create_key
from tests.partners.assertions import assert_problem

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/users/ana/timeline"


@pytest.fixture
def api() -> APIClient:
    key = do_create_key(client=do_create_client(name="Web shop"), scopes=["read"])
    api = APIClient(raise_request_exception=False)
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {key.text}")
    return api


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", external_id="ana")


@pytest.fixture
def posts(ana: User, drain_outbox: Callable[[], int]) -> list[Post]:
    """Seven posts by Ben, whom Ana follows, oldest first; and one by Cleo, whom she does not."""
    ben = User.objects.create_user("ben", display_name="Ben")
    do_follow(follower=ana, followee=ben)
    do_create_post(author=User.objects.create_user("cleo"), text="unseen")
    written = [do_create_post(author=ben, text=f"post {number}") for number in range(7)]
    drain_outbox()
    return written


def page(api: APIClient, query: str = "") -> dict[str, Any]:
    response = api.get(f"{ADDRESS}{query}")
    assert response.status_code == 200, response.content
    body: dict[str, Any] = response.json()
    assert set(body) == {"posts", "next_before", "position"}
    return body


def test_the_timeline_is_that_of_the_user(api: APIClient, posts: list[Post]) -> None:
    body = page(api)
    assert [post["text"] for post in body["posts"]] == [f"post {number}" for number in range(6, -1, -1)]
    assert body["posts"][0]["author"] | {"id": 0} == {
        "id": 0,
        "external_id": None,
        "username": "ben",
        "display_name": "Ben",
    }
    assert body["posts"][0]["id"] == posts[-1].pk
    assert body["position"]


def test_pages_follow_one_another_without_gap_or_repetition(api: APIClient, posts: list[Post]) -> None:
    seen: list[int] = []
    query = "?limit=3"
    for _ in range(10):
        body = page(api, query)
        seen += [post["id"] for post in body["posts"]]
        if body["next_before"] is None:
            break
        query = f"?limit=3&before={body['next_before']}"
    assert seen == [post.pk for post in reversed(posts)]


def test_a_deleted_post_is_gone_from_the_next_answer(api: APIClient, posts: list[Post]) -> None:
    do_delete_post(post=posts[-1], by=posts[-1].author)
    assert posts[-1].pk not in {post["id"] for post in page(api)["posts"]}


def test_who_follows_nobody_has_an_empty_timeline(api: APIClient, ana: User) -> None:
    assert page(api)["posts"] == []
    assert page(api)["next_before"] is None


def test_a_person_without_external_id_is_named_by_number(api: APIClient, posts: list[Post]) -> None:
    assert api.get(f"/api/v1/users/id:{posts[0].author_id}/timeline").status_code == 200


def test_a_name_with_a_slash(api: APIClient) -> None:
    User.objects.create_user("odd", external_id="a/b ü")
    assert api.get(f"/api/v1/users/{quote('a/b ü', safe='')}/timeline").status_code == 200
    assert api.get(f"/api/v1/users/{quote('a/b ü')}/timeline").status_code == 200


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=many", "limit"),
        ("before=0", "before"),
        ("before=-5", "before"),
        ("before=9223372036854775808", "before"),
        ("before=x", "before"),
        ("after=5", "after"),
        ("limit=1&limit=2", "limit"),
    ],
)
def test_bad_parameters_are_named(api: APIClient, ana: User, query: str, field: str) -> None:
    assert assert_problem(api.get(f"{ADDRESS}?{query}"), 400)["errors"][0]["field"] == field


def test_unknown_and_inactive_users(api: APIClient, ana: User) -> None:
    User.objects.filter(pk=ana.pk).update(is_active=False)
    assert_problem(api.get(ADDRESS), 404, "ana")
    assert_problem(api.get("/api/v1/users/nobody/timeline"), 404, "nobody")


def test_the_timeline_is_read_only(api: APIClient, ana: User) -> None:
    assert_problem(api.post(ADDRESS, {}, format="json"), 403)
    assert_problem(APIClient().get(ADDRESS), 401)


def test_more_posts_take_no_more_queries(api: APIClient, posts: list[Post]) -> None:
    def queries(limit: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            page(api, f"?limit={limit}")
        return len(captured)

    page(api)
    assert queries(1) == queries(7)


def test_that_the_user_reads_takes_one_statement_of_the_first_page_alone(api: APIClient, posts: list[Post]) -> None:
    page(api)
    for query, count in [("", 1), ("?limit=3", 1), (f"?before={posts[3].pk}", 0)]:
        with CaptureQueriesContext(connection) as captured:
            page(api, query)
        assert sum("feeds_readingposition" in one["sql"] for one in captured.captured_queries) == count


class TestTop:
    def top(self, api: APIClient, query: str) -> dict[str, Any]:
        answer = api.get(f"{ADDRESS}?view=top&{query}")
        assert answer.status_code == 200, answer.content
        return answer.json()

    def test_pages_through_one_ranking(self, api: APIClient, posts: list[Post]) -> None:
        first = self.top(api, "limit=3")
        assert first["served_by"] == "fresh"
        assert all(post["reason"] for post in first["posts"])
        more = f"limit=10&ranking={first['recommendation_id']}&before={first['next_before']}"
        seen = [post["id"] for post in first["posts"] + self.top(api, more)["posts"]]
        assert sorted(seen) == [post.pk for post in posts]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("view=best", "view"),
            ("view=top&before=3", "ranking"),
            ("ranking=00000000-0000-0000-0000-000000000000", "ranking"),
            ("view=top&ranking=x&before=3", "ranking"),
        ],
    )
    def test_what_is_wrong_is_named(self, api: APIClient, ana: User, query: str, field: str) -> None:
        assert assert_problem(api.get(f"{ADDRESS}?{query}"), 400)["errors"][0]["field"] == field

    def test_another_users_ranking_is_not_found(self, api: APIClient, posts: list[Post]) -> None:
        ranking = self.top(api, "limit=1")["recommendation_id"]
        User.objects.create_user("zoe", external_id="zoe")
        answer = api.get(f"/api/v1/users/zoe/timeline?view=top&ranking={ranking}&before=1")
        assert_problem(answer, 404, "ranking")


def audience_of(author: int) -> dict[int, str]:
    """The followers of an author, each with the bucket in which they are served."""
    return {reader: bucket for bucket, readers in chunks(author, followers_of(author)) for reader in readers}


class TestPosition:
    def test_is_shown_and_set(self, full_api: APIClient, ana: User, posts: list[Post]) -> None:
        before = full_api.get(f"{ADDRESS}/position").json()
        assert (before["unread_after"], before["unread"]) == (0, len(posts))
        after = full_api.post(f"{ADDRESS}/position", {"seen": posts[-3].pk}, format="json").json()
        assert after == {"newest_seen": posts[-3].pk, "unread_after": posts[-3].pk, "unread": 2, "more": False}
        assert full_api.get(f"{ADDRESS}/position").json() == after

    def test_asking_for_the_timeline_is_no_visit(self, full_api: APIClient, posts: list[Post]) -> None:
        full_api.get(ADDRESS)
        assert full_api.get(f"{ADDRESS}/position").json()["newest_seen"] == 0

    @pytest.mark.parametrize("view", ["latest", "top"])
    def test_but_it_says_that_the_user_reads(
        self, full_api: APIClient, ana: User, posts: list[Post], view: str
    ) -> None:
        assert full_api.get(f"{ADDRESS}?view={view}").status_code == 200
        assert ReadingPosition.objects.get(reader=ana).visited_at is None
        assert audience_of(posts[0].author_id) == {ana.pk: "recent"}
        assert [row.payload["readers"] for row in rebuild_chunks()] == [[ana.pk]]

    def test_it_is_the_newest_post_at_most(self, full_api: APIClient, posts: list[Post]) -> None:
        answer = full_api.post(f"{ADDRESS}/position", {"seen": 2**63 - 1}, format="json").json()
        assert answer == {"newest_seen": posts[-1].pk, "unread_after": posts[-1].pk, "unread": 0, "more": False}

    @pytest.mark.parametrize("seen", [-1, "5", None, True, 2.5])
    def test_what_is_no_post_is_refused(self, full_api: APIClient, ana: User, seen: Any) -> None:
        answer = full_api.post(f"{ADDRESS}/position", {"seen": seen}, format="json")
        assert assert_problem(answer, 422)["errors"][0]["field"] == "seen"

    def test_something_must_be_said(self, full_api: APIClient, ana: User) -> None:
        assert_problem(full_api.post(f"{ADDRESS}/position", {}, format="json"), 422, "seen")

    def test_reading_does_not_write(self, reading_api: APIClient, ana: User) -> None:
        assert_problem(reading_api.post(f"{ADDRESS}/position", {"seen": 1}, format="json"), 403, "write")
