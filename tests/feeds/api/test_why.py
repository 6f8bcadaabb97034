from __future__ import annotations

from urllib.parse import quote

import pytest
from rest_framework.test import APIClient

from feeds.actions import do_create_post
from feeds.graph import do_block, do_follow
from feeds.models import Post
from recsys.accounts.models import User
from recsys.partners.actions import do_create_client, do_create_key
from tests.partners.assertions import assert_problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> APIClient:
    key = do_create_key(client=do_create_client(name="Web shop"), scopes=["read"])
    api = APIClient(raise_request_exception=False)
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {key.text}")
    return api


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", external_id="x/timeline/ana")


@pytest.fixture
def post(ana: User, drain_outbox) -> Post:
    ben = User.objects.create_user("ben")
    do_follow(follower=ana, followee=ben)
    post = do_create_post(author=ben, text="hello")
    drain_outbox()
    return post


def address(query: str, name: str = "x/timeline/ana") -> str:
    return f"/api/v1/users/{quote(name)}/timeline/why{query}"


def test_an_entry_is_explained(api, post):
    answer = api.get(address(f"?post={post.pk}")).json()
    assert answer["verdict"] == "shown"
    assert [reason["code"] for reason in answer["reasons"]] == ["follows", "push"]
    assert answer["reasons"][0]["text"].startswith("You have followed ben since ")
    assert (answer["post"], answer["mode"], answer["place"], answer["related"]) == (post.pk, "push", "cold", None)
    assert answer["followed_at"]
    assert [one["bucket"] for one in answer["deliveries"]] == ["all"]


def test_each_entry_of_the_timeline_leads_there(api, post):
    (entry,) = api.get(f"/api/v1/users/{quote('x/timeline/ana')}/timeline").json()["posts"]
    assert api.get(entry["why"]).json()["post"] == post.pk


def test_blocked_is_told_from_missing_by_nothing(api, ana, post):
    do_block(blocker=post.author, blocked=ana)
    blocked, none = (api.get(address(f"?post={number}")).json() for number in (post.pk, 10**12))
    assert {**blocked, "post": 0} == {**none, "post": 0}
    assert blocked["reasons"][0]["code"] == "not_available"


@pytest.mark.parametrize("query", ["", "?post=", "?post=x", "?post=0", f"?post={2**63}", "?post=1&more=1"])
def test_nonsense_is_refused(api, ana, query):
    assert_problem(api.get(address(query)), 400)


def test_a_user_who_is_not_there(api):
    assert_problem(api.get(address("?post=1", "nobody")), 404)


def test_it_takes_a_key(post):
    assert_problem(APIClient().get(address(f"?post={post.pk}")), 401)
