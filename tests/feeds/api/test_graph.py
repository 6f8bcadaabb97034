"""The partner API's social graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from feeds.graph import do_block, do_follow, do_mute
from feeds.models import Block, Follow, FollowRequest, Mute
from recsys.accounts.models import User
from recsys.partners.actions import do_create_client, do_create_key
from tests.partners.assertions import assert_problem

pytestmark = pytest.mark.django_db
WORDS = ("follows", "followers", "follow-requests", "follow-requests/sent", "blocks", "mutes")
WRITES = [("follows", Follow), ("blocks", Block), ("mutes", Mute)]


@pytest.fixture
def make_api() -> Callable[..., APIClient]:
    client = do_create_client(name="Web shop")

    def make(*scopes: str) -> APIClient:
        key = do_create_key(client=client, scopes=list(scopes))
        api = APIClient(raise_request_exception=False)
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {key.text}")
        return api

    return make


@pytest.fixture
def api(make_api: Callable[..., APIClient]) -> APIClient:
    return make_api("read", "write")


@pytest.fixture(autouse=True)
def people() -> dict[str, User]:
    """Ana and Ben, whom the partner knows, and Cy, a private account."""
    people = {name: User.objects.create_user(name, external_id=name) for name in ("ana", "ben")}
    return people | {"cy": User.objects.create_user("cy", external_id="shop/cy", is_private=True)}


def address(name: str, word: str) -> str:
    return f"/api/v1/users/{name}/{word}"


def post(api: APIClient, name: str, word: str, body: Any) -> Any:
    return api.post(address(name, word), body, format="json")


def names(api: APIClient, name: str, word: str, query: str = "") -> list[str]:
    response = api.get(address(name, word) + query)
    assert response.status_code == 200, response.content
    return [entry["user"]["username"] for entry in response.json()["users"]]


def test_following_answers_how_the_two_stand(api: APIClient, people: dict[str, User]) -> None:
    for _ in range(2):
        response = post(api, "ana", "follows", {"user": "ben"})
        assert response.status_code == 200, response.content
        assert response.json() == {
            "user": {
                "id": people["ben"].pk,
                "external_id": "ben",
                "username": "ben",
                "display_name": "",
                "is_active": True,
            },
            "follows": True,
            "requested": False,
            "followed_by": False,
            "asked_by": False,
            "mutes": False,
            "blocks": False,
            "blocked_by": False,
        }
    assert names(api, "ana", "follows") == ["ben"]
    assert names(api, "ben", "followers") == ["ana"]


def test_a_private_account_is_asked_and_answers(api: APIClient, people: dict[str, User]) -> None:
    for name in ("ana", f"id:{people['ben'].pk}"):
        answer = post(api, name, "follows", {"user": "shop/cy"}).json()
        assert (answer["follows"], answer["requested"]) == (False, True)
    assert names(api, "shop%2Fcy", "follow-requests") == ["ben", "ana"]
    answer = post(api, "shop%2Fcy", "follow-requests", {"user": "ana", "answer": "approve"}).json()
    assert (answer["followed_by"], answer["asked_by"]) == (True, False)
    answer = post(api, "shop%2Fcy", "follow-requests", {"user": "ben", "answer": "reject"}).json()
    assert (answer["followed_by"], answer["asked_by"]) == (False, False)
    assert names(api, "shop%2Fcy", "followers") == ["ana"]
    assert not FollowRequest.objects.exists()


def test_who_asked_sees_what_waits_and_withdraws_it(api: APIClient, people: dict[str, User]) -> None:
    post(api, "ana", "follows", {"user": "shop/cy"})
    (entry,) = api.get(address("ana", "follow-requests/sent")).json()["users"]
    assert (entry["user"]["external_id"], entry["requested"], entry["follows"]) == ("shop/cy", True, False)
    assert names(api, "shop%2Fcy", "follow-requests/sent") == []
    User.objects.filter(pk=people["cy"].pk).update(is_active=False)
    assert names(api, "ana", "follow-requests/sent") == ["cy"]
    assert api.delete(address("ana", "follows?user=shop/cy")).status_code == 204
    assert names(api, "ana", "follow-requests/sent") == []


def test_nobody_is_let_in_who_did_not_ask(api: APIClient) -> None:
    assert (
        post(api, "shop%2Fcy", "follow-requests", {"user": "ana", "answer": "approve"}).json()["followed_by"] is False
    )


@pytest.mark.parametrize("word", ["follows", "followers"])
def test_a_suspended_account_is_listed_as_such(api: APIClient, people: dict[str, User], word: str) -> None:
    ana, ben = people["ana"], people["ben"]
    do_follow(follower=ana, followee=ben)
    do_follow(follower=ben, followee=ana)
    User.objects.filter(pk=ben.pk).update(is_active=False)
    (entry,) = api.get(address("ana", word)).json()["users"]
    assert (entry["user"]["id"], entry["user"]["is_active"]) == (ben.pk, False)
    assert api.delete(address("ana", f"{word}?user=ben")).status_code == 204
    assert names(api, "ana", word) == []


def test_blocks_and_mutes(api: APIClient) -> None:
    post(api, "ben", "follows", {"user": "ana"})
    assert post(api, "ana", "mutes", {"user": "ben"}).json()["mutes"] is True
    answer = post(api, "ana", "blocks", {"user": "ben"}).json()
    assert (answer["blocks"], answer["followed_by"]) == (True, False)
    assert names(api, "ana", "blocks") == names(api, "ana", "mutes") == ["ben"]
    assert names(api, "ben", "blocks") == []
    response = post(api, "ben", "follows", {"user": "ana"})
    assert_problem(response, 422)
    assert response.json()["errors"] == [{"field": "user", "message": "You cannot follow this account."}]


@pytest.mark.parametrize("word", ["follows", "blocks", "mutes", "followers"])
def test_what_is_taken_back_twice_is_gone(api: APIClient, people: dict[str, User], word: str) -> None:
    ana, ben = people["ana"], people["ben"]
    if word == "followers":
        do_follow(follower=ben, followee=ana)
    elif word == "follows":
        do_follow(follower=ana, followee=ben)
    elif word == "blocks":
        do_block(blocker=ana, blocked=ben)
    else:
        do_mute(muter=ana, muted=ben)
    User.objects.filter(pk=ben.pk).update(is_active=False)  # also of somebody who was switched off
    for _ in range(2):
        assert api.delete(address("ana", f"{word}?user=ben")).status_code == 204
    assert not any(model.objects.exists() for model in (Follow, Block, Mute))


def test_a_request_is_withdrawn_as_a_follow_is_ended(api: APIClient) -> None:
    post(api, "ana", "follows", {"user": "shop/cy"})
    assert api.delete(address("ana", "follows?user=shop/cy")).status_code == 204
    assert not FollowRequest.objects.exists()


@pytest.mark.parametrize(("word", "model"), WRITES)
@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({}, "user", "is needed"),
        ({"user": 7}, "user", "must be text"),
        ({"user": "nobody"}, "user", "There is no user"),
        ({"user": "x" * 500}, "user", "There is no user"),
        ({"user": "ana"}, "user", "Nobody can"),
        ({"user": "ben", "why": 1}, "why", "not known here"),
    ],
)
def test_what_a_body_cannot_be_is_said(api: APIClient, word: str, model: Any, body: Any, field: str, said: str) -> None:
    response = post(api, "ana", word, body)
    assert_problem(response, 422)
    (fault,) = response.json()["errors"]
    assert fault["field"] == field
    assert said in fault["message"]
    assert not model.objects.exists()


@pytest.mark.parametrize("body", [[], "ben", 7, [{"user": "ben"}]])
@pytest.mark.parametrize(("word", "model"), WRITES)
def test_a_body_is_one_object(api: APIClient, word: str, model: Any, body: Any) -> None:
    assert_problem(post(api, "ana", word, body), 400, "JSON object")
    assert not model.objects.exists()


@pytest.mark.parametrize("answer", ["yes", "", None, True, ["approve"]])
def test_an_answer_is_one_of_two(api: APIClient, people: dict[str, User], answer: Any) -> None:
    do_follow(follower=people["ana"], followee=people["cy"])
    response = post(api, "shop%2Fcy", "follow-requests", {"user": "ana", "answer": answer})
    assert_problem(response, 422)
    assert response.json()["errors"][0]["field"] == "answer"
    assert FollowRequest.objects.exists()


@pytest.mark.parametrize("word", WORDS)
class TestEveryList:
    def test_is_of_somebody_who_exists(self, api: APIClient, word: str) -> None:
        assert_problem(api.get(address("nobody", word)), 404)

    def test_needs_the_scope(self, make_api: Callable[..., APIClient], word: str) -> None:
        assert_problem(APIClient().get(address("ana", word)), 401)
        assert_problem(make_api("write").get(address("ana", word)), 403)
        assert make_api("read").get(address("ana", word)).status_code == 200

    def test_refuses_parameters_that_it_does_not_know(self, api: APIClient, word: str) -> None:
        for query in ("?limit=0", "?limit=101", "?before=x", "?after=1"):
            assert_problem(api.get(address("ana", word) + query), 400)


@pytest.mark.parametrize("word", WORDS)
def test_writing_needs_the_scope(make_api: Callable[..., APIClient], word: str) -> None:
    api = make_api("read")
    if word not in ("followers", "follow-requests/sent"):
        assert_problem(post(api, "ana", word, {"user": "ben"}), 403)
    if not word.startswith("follow-requests"):
        assert_problem(api.delete(address("ana", f"{word}?user=ben")), 403)
    assert not any(model.objects.exists() for model in (Follow, Block, Mute))


@pytest.mark.parametrize("word", ["follows", "followers", "blocks", "mutes"])
def test_taking_back_names_somebody_who_exists(api: APIClient, word: str) -> None:
    assert_problem(api.delete(address("ana", word)), 400)
    assert_problem(api.delete(address("ana", f"{word}?user=nobody")), 404)


def test_pages_follow_one_another_and_cost_the_same(api: APIClient, people: dict[str, User]) -> None:
    crowd = [User.objects.create_user(f"u{number}") for number in range(7)]
    for person in crowd:
        do_follow(follower=people["ana"], followee=person)
    seen, query, costs = [], "?limit=3", []
    api.get(address("ana", "follows"))  # which notes that the key was used
    for _ in range(3):
        with CaptureQueriesContext(connection) as queries:
            body = api.get(address("ana", "follows") + query).json()
        costs.append(len(queries))
        seen += [entry["user"]["username"] for entry in body["users"]]
        query = f"?limit=3&before={body['next_before']}"
    assert body["next_before"] is None
    assert seen == [f"u{number}" for number in range(6, -1, -1)]
    assert len(set(costs)) == 1


def test_privacy_is_shown_and_set_with_the_user(api: APIClient, people: dict[str, User], drain_outbox: Any) -> None:
    assert api.get("/api/v1/users/shop%2Fcy").json()["is_private"] is True
    assert api.get("/api/v1/users/ana").json()["is_private"] is False
    do_follow(follower=people["ana"], followee=people["cy"])
    rows = [{"external_id": "shop/cy", "is_private": False}, {"external_id": "new", "is_private": True}]
    assert api.post("/api/v1/users", {"users": rows}, format="json").json() == {
        "created": 1,
        "updated": 1,
        "unchanged": 0,
    }
    assert dict(User.objects.filter(external_id__in=["shop/cy", "new"]).values_list("external_id", "is_private")) == {
        "shop/cy": False,
        "new": True,
    }
    drain_outbox()
    assert names(api, "shop%2Fcy", "followers") == ["ana"], "who waited is let in"


@pytest.mark.parametrize("field", ["is_private", "shows_presence"])
def test_privacy_is_true_or_false(api: APIClient, field: str) -> None:
    response = api.post("/api/v1/users", {"users": [{"external_id": "ana", field: "yes"}]}, format="json")
    assert_problem(response, 422)
    assert response.json()["errors"][0]["field"] == field
    assert "true or false" in response.json()["errors"][0]["message"]


def test_suggestions_say_why_and_leave_out_whom_the_user_knows(api: APIClient, people: dict[str, User]) -> None:
    do_follow(follower=people["ana"], followee=people["ben"])
    dan, eve = (User.objects.create_user(name) for name in ("dan", "eve"))
    for person in (dan, eve):
        do_follow(follower=people["ben"], followee=person)
    do_mute(muter=people["ana"], muted=eve)
    body = api.get(address("ana", "suggestions")).json()
    assert [(one["user"]["username"], one["reason"]) for one in body["suggestions"]] == [("dan", "Followed by ben")]
    assert_problem(api.get(address("ana", "suggestions?limit=0")), 400, "limit")
    assert_problem(api.get(address("nobody", "suggestions")), 404)
