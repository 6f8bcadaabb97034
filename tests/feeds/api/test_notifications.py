"""Notifications over the partner API."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from feeds import notify
from feeds.models import Follow, Like, Notification
from feeds.notifications import unread_count, unwanted_kinds
from recsys.accounts.models import User
from recsys.partners.actions import do_create_client, do_create_key
from tests.feeds.test_notify import write
from tests.partners.assertions import assert_problem

pytestmark = pytest.mark.django_db

BASE = "/api/v1/users/ana/notifications"


@pytest.fixture
def make_api(db: None) -> Callable[..., APIClient]:
    """Makes an HTTP client whose key has the given scopes."""
    partner = do_create_client(name="Web shop")

    def make(*scopes: str) -> APIClient:
        api = APIClient(raise_request_exception=False)
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {do_create_key(client=partner, scopes=scopes).text}")
        return api

    return make


@pytest.fixture
def api(make_api: Callable[..., APIClient]) -> APIClient:
    return make_api("read", "write")


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", external_id="ana", display_name="Ana")


@pytest.fixture
def ben() -> User:
    return User.objects.create_user("ben", external_id="b/1", display_name="Ben")


@pytest.fixture
def posts(ana, ben):
    """Three posts of Ana's that Ben likes."""
    posts = [write(ana, f"Post {number}") for number in range(3)]
    for post in posts:
        Like.objects.create(user=ben, post=post)
        notify.notify_of_likes([(ben.pk, post.pk)])
    return posts


def test_groups_are_shown_and_stay_as_they_are(api, ana, ben, posts):
    body = api.get(BASE).json()
    newest = Notification.objects.latest("pk")
    assert body["unseen"] == 3
    assert body["next_before"] is None
    assert [group["post"] for group in body["groups"]] == [post.pk for post in reversed(posts)]
    assert body["groups"][0] == {
        "key": f"like-{posts[2].pk}",
        "kind": "like",
        "id": newest.pk,
        "at": newest.created_at.isoformat().replace("+00:00", "Z"),
        "count": 1,
        "actors": [{"id": ben.pk, "external_id": "b/1", "username": "ben", "display_name": "Ben"}],
        "post": posts[2].pk,
        "excerpt": "Post 2",
        "text": "Ben liked your post",
        "seen": False,
        "read": False,
    }
    assert unread_count(ana) == 3


def test_pages_follow_one_another(api, posts):
    first = api.get(BASE, {"limit": 2}).json()
    second = api.get(BASE, {"limit": 2, "before": first["next_before"]}).json()
    assert [len(page["groups"]) for page in (first, second)] == [2, 1]
    assert second["next_before"] is None


def test_the_people_of_a_group_come_by_its_key(api, ana, ben, posts):
    cy = User.objects.create_user("cy")
    Like.objects.create(user=cy, post=posts[0])
    notify.notify_of_likes([(cy.pk, posts[0].pk)])
    Follow.objects.create(follower=ana, followee=ben)
    key = api.get(BASE).json()["groups"][0]["key"]
    first = api.get(f"{BASE}/people", {"group": key, "limit": 1}).json()
    second = api.get(f"{BASE}/people", {"group": key, "limit": 1, "before": first["next_before"]}).json()
    assert second["next_before"] is None
    people = [(one["user"]["username"], one["follows"]) for page in (first, second) for one in page["users"]]
    assert people == [("cy", False), ("ben", True)]
    assert unread_count(ana) == 4


def test_the_people_of_a_group_are_its_recipients_alone(api, ana, ben, posts):
    address = "/api/v1/users/b%2F1/notifications/people"
    assert api.get(address, {"group": f"like-{posts[0].pk}"}).json() == {"users": [], "next_before": None}


@pytest.mark.parametrize("query", [{}, {"group": "spam"}, {"group": ""}, {"group": "like-1", "limit": 101}])
def test_the_people_of_what_is_no_group_are_refused(api, ana, query):
    assert_problem(api.get(f"{BASE}/people", query), 400, "group" if len(query) < 2 else "limit")


def test_a_follow_is_about_no_post(api, ana, ben):
    Follow.objects.create(follower=ben, followee=ana)
    notify.notify_of_follows([(ben.pk, ana.pk)])
    (group,) = api.get(BASE).json()["groups"]
    assert (group["kind"], group["post"], group["excerpt"]) == ("follow", None, "")
    assert api.post(f"{BASE}/read", {"group": group["key"]}, format="json").json() == {"unseen": 0}


def test_names_with_slashes_have_all_addresses(api, ben):
    base = "/api/v1/users/b%2F1/notifications"
    assert api.get(base).json() == {"groups": [], "next_before": None, "unseen": 0}
    assert api.get("/api/v1/users/b/1/notifications/preferences").json() == {"unwanted": []}
    for mark in ("seen", "read"):
        assert api.post(f"{base}/{mark}").json() == {"unseen": 0}


def test_seen_up_to_what_was_shown(api, ana, posts):
    middle = api.get(BASE).json()["groups"][1]["id"]
    assert api.post(f"{BASE}/seen", {"up_to": middle}, format="json").json() == {"unseen": 1}
    assert api.post(f"{BASE}/seen").json() == {"unseen": 0}
    assert Notification.objects.filter(read_at=None).count() == 3


def test_one_group_or_all_are_read(api, posts):
    key = f"like-{posts[0].pk}"
    assert api.post(f"{BASE}/read", {"group": key}, format="json").json() == {"unseen": 2}
    assert [group["read"] for group in api.get(BASE).json()["groups"]] == [False, False, True]
    assert api.post(f"{BASE}/read", {}, format="json").json() == {"unseen": 0}
    assert all(group["read"] and group["seen"] for group in api.get(BASE).json()["groups"])


def test_preferences_are_replaced(api, ana, posts):
    address = f"{BASE}/preferences"
    assert api.post(address, {"unwanted": ["repost", "like"]}, format="json").json() == {"unwanted": ["like", "repost"]}
    assert api.get(address).json() == {"unwanted": ["like", "repost"]}
    assert api.get(BASE).json()["groups"] == []
    assert api.post(address, {}, format="json").json() == {"unwanted": ["like", "repost"]}
    assert api.post(address, {"unwanted": []}, format="json").json() == {"unwanted": []}
    assert unwanted_kinds(ana) == []


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("seen", {"up_to": "5"}, ("up_to", "whole number")),
        ("seen", {"up_to": True}, ("up_to",)),
        ("seen", {"up_to": -1}, ("up_to",)),
        ("seen", {"group": "like-1"}, ("group", "not known here")),
        ("read", {"group": "spam"}, ("group", "such as like-17")),
        ("read", {"group": None, "up_to": []}, ("group", "up_to")),
        ("preferences", {"unwanted": "like"}, ("unwanted", "follow, request, reply, mention, like, repost")),
        ("preferences", {"unwanted": ["spam"]}, ("unwanted",)),
        ("preferences", {"unwanted": [["like"]]}, ("unwanted",)),
        ("preferences", {"wanted": []}, ("wanted", "not known here")),
    ],
)
def test_bad_content_is_explained(api, ana, posts, path, body, words):
    assert_problem(api.post(f"{BASE}/{path}", body, format="json"), 422, *words)
    assert unread_count(ana) == 3
    assert unwanted_kinds(ana) == []


def test_a_body_that_is_no_object_is_refused(api, ana):
    assert_problem(api.post(f"{BASE}/seen", [1], format="json"), 400, "JSON object")


@pytest.mark.parametrize("query", [{"before": "x"}, {"limit": 0}, {"limit": 51}, {"after": "1"}, {"before": "1-" * 30}])
def test_bad_parameters_are_explained(api, ana, query):
    assert_problem(api.get(BASE, query), 400)


def test_unknown_people_are_not_found(api):
    assert_problem(api.get("/api/v1/users/nobody/notifications"), 404, "nobody")
    for path in ("seen", "read", "preferences"):
        assert_problem(api.post(f"/api/v1/users/nobody/notifications/{path}"), 404)


def test_reading_and_writing_are_scopes_of_their_own(make_api, ana, posts):
    reading, writing = make_api("read"), make_api("write")
    assert reading.get(BASE).status_code == 200
    assert_problem(writing.get(BASE), 403)
    assert_problem(writing.get(f"{BASE}/people", {"group": f"like-{posts[0].pk}"}), 403)
    for path in ("seen", "read", "preferences"):
        assert_problem(reading.post(f"{BASE}/{path}"), 403)
    assert unread_count(ana) == 3
    assert writing.post(f"{BASE}/seen").status_code == 200
