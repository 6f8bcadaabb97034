"""Lists over the partner API."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from feeds import lists
from feeds.actions import do_create_post
from feeds.api import lists as endpoints
from feeds.lists import do_add_member, do_create_list, find_list, members_of
from feeds.models import AccountList
from recsys.accounts.models import User
from tests.partners.assertions import assert_problem

pytestmark = pytest.mark.django_db
LISTS = "/api/v1/users/ana/lists"


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", external_id="ana")


@pytest.fixture
def ben() -> User:
    return User.objects.create_user("ben", external_id="b/1")


@pytest.fixture
def friends(ana, ben) -> AccountList:
    found = do_create_list(owner=ana, name="Friends")
    do_add_member(account_list=found, member=ben)
    return found


@pytest.fixture
def address(friends) -> str:
    return f"{LISTS}/{friends.pk}"


def send(api: APIClient, address: str, **body) -> object:
    return api.post(address, body, format="json")


def test_lists_are_made_shown_renamed_and_deleted(full_api, ana):
    made = send(full_api, LISTS, name="  Jazz  people ").json()
    assert made["name"] == "Jazz people"
    address = f"{LISTS}/{made['id']}"
    assert full_api.get(address).json() == made
    assert send(full_api, address, name="Jazz").json()["name"] == "Jazz"
    assert [(one["name"], one["member_count"]) for one in full_api.get(LISTS).json()["lists"]] == [("Jazz", 0)]
    assert full_api.delete(address).status_code == 204
    assert_problem(full_api.get(address), 404, "no list")


def test_members_come_and_go(full_api, friends, address, ana, ben):
    assert [one["external_id"] for one in full_api.get(f"{address}/members").json()["members"]] == ["b/1"]
    assert send(full_api, f"{address}/members", user=f"id:{ana.pk}").status_code == 204
    assert send(full_api, f"{address}/members", user="b/1").status_code == 204
    assert members_of(friends) == [ana, ben]
    assert full_api.delete(f"{address}/members?user=b%2F1").status_code == 204
    assert members_of(friends) == [ana]


def test_its_timeline_pages(full_api, address, ben):
    posts = [do_create_post(author=ben, text=f"Post {number}").pk for number in range(5)][::-1]
    first = full_api.get(f"{address}/timeline?limit=3").json()
    assert [post["id"] for post in first["posts"]] == posts[:3]
    rest = full_api.get(f"{address}/timeline?limit=3&before={first['next_before']}").json()
    assert [post["id"] for post in rest["posts"]] == posts[3:]
    assert rest["next_before"] is None


def test_a_suspended_member_is_marked_counted_and_taken_out(full_api, address, ben):
    User.objects.filter(pk=ben.pk).update(is_active=False)
    (member,) = full_api.get(f"{address}/members").json()["members"]
    assert (member["id"], member["is_active"]) == (ben.pk, False)
    assert full_api.get(LISTS).json()["lists"][0]["member_count"] == 1
    assert full_api.delete(f"{address}/members?user=b%2F1").status_code == 204
    assert full_api.get(LISTS).json()["lists"][0]["member_count"] == 0


@pytest.mark.parametrize("below", ["", "/timeline", "/members"])
def test_under_another_user_it_is_not_found(full_api, friends, ben, below):
    address = f"/api/v1/users/b%2F1/lists/{friends.pk}{below}"
    assert_problem(full_api.get(address), 404, "no list")
    for answer in (
        send(full_api, address, name="Mine"),
        send(full_api, address, user="ana"),
        full_api.delete(address),
        full_api.delete(f"{address}?user=ana"),
    ):
        assert answer.status_code in (400, 404, 405)
    friends.refresh_from_db()
    assert (friends.name, members_of(friends)) == ("Friends", [ben])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": "Friends"}, "name"),
        ({"name": "New", "colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_stored(full_api, friends, body, field):
    assert assert_problem(send(full_api, LISTS, **body), 422)["errors"][0]["field"] == field
    assert AccountList.objects.count() == 1


@pytest.mark.parametrize("body", [{}, {"user": None}, {"user": 5}])
def test_members_need_a_name(full_api, address, body):
    assert assert_problem(send(full_api, f"{address}/members", **body), 422)["errors"][0]["field"] == "user"


def test_nobody_is_found_nowhere(full_api, address):
    assert_problem(send(full_api, f"{address}/members", user="nobody"), 422, "nobody")
    assert_problem(full_api.get("/api/v1/users/nobody/lists"), 404, "nobody")
    assert_problem(full_api.get(f"{LISTS}/99999999999999999999999"), 404)


def test_the_bound_is_an_answer(full_api, ana, monkeypatch):
    monkeypatch.setattr(lists, "MOST_LISTS", 1)
    send(full_api, LISTS, name="one")
    assert_problem(send(full_api, LISTS, name="two"), 422, "1 lists")


@pytest.mark.parametrize(("below", "body"), [("", {"name": "Close"}), ("/members", {"user": "ana"})])
def test_one_that_is_deleted_meanwhile_is_not_found(full_api, friends, address, monkeypatch, below, body):
    def find_and_delete(owner: User, pk: int) -> AccountList | None:
        found = find_list(owner, pk)
        AccountList.objects.filter(pk=pk).delete()
        return found

    monkeypatch.setattr(endpoints, "find_list", find_and_delete)
    assert_problem(send(full_api, f"{address}{below}", **body), 404, "no such list")
    assert not AccountList.objects.exists()


def test_reading_does_not_write(reading_api, address):
    assert reading_api.get(LISTS).status_code == 200
    for answer in (
        send(reading_api, LISTS, name="x"),
        send(reading_api, address, name="x"),
        reading_api.delete(address),
        send(reading_api, f"{address}/members", user="ana"),
        reading_api.delete(f"{address}/members?user=b%2F1"),
    ):
        assert_problem(answer, 403, "write")
    assert_problem(APIClient().get(LISTS), 401)
