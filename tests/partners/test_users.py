from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from recsys.accounts.models import User
from recsys.partners.views.users import EXAMPLE
from tests.partners.assertions import assert_problem

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/users"


def upsert(api: APIClient, *users: Any) -> Any:
    return api.post(ADDRESS, {"users": list(users)}, format="json")


def test_the_documented_example_is_stored_and_shown(api: APIClient) -> None:
    sent = EXAMPLE["users"][0]
    assert upsert(api, sent).json() == {"created": 1, "updated": 0, "unchanged": 0}
    assert upsert(api, sent).json() == {"created": 0, "updated": 0, "unchanged": 1}
    shown = api.get(f"{ADDRESS}/customer-4711").json()
    assert {name: shown[name] for name in sent} == sent


def test_what_is_shown_of_a_user_is_no_secret(api: APIClient) -> None:
    User.objects.create_user("ana", email="ana@example.org", password="x", external_id="ana")
    shown = api.get(f"{ADDRESS}/ana").json()
    profile = {"id", "external_id", "username", "display_name", "bio", "region", "created_at"}
    assert set(shown) == profile | {"is_private", "shows_presence"}


def test_users_who_were_sent_cannot_log_in(api: APIClient) -> None:
    upsert(api, {"external_id": "ana"})
    assert not User.objects.get().has_usable_password()


@pytest.mark.parametrize("field", ["is_staff", "is_superuser", "password", "email", "id", "is_active"])
def test_what_only_staff_may_change_cannot_be_sent(api: APIClient, field: str) -> None:
    assert_problem(upsert(api, {"external_id": "ana", field: True}), 422, field)
    assert not User.objects.exists()


def test_bad_users_are_named_and_nothing_is_stored(api: APIClient) -> None:
    response = upsert(api, {"external_id": "a"}, {"external_id": 5}, [], {"external_id": "b", "region": "Mars"})
    problem = assert_problem(response, 422)
    assert [(error["index"], error["field"]) for error in problem["errors"]] == [
        (1, "external_id"),
        (2, ""),
        (3, "region"),
    ]
    assert not User.objects.exists()


def test_a_name_that_is_taken_is_refused(api: APIClient) -> None:
    User.objects.create_user("ana")
    assert_problem(upsert(api, {"external_id": "a", "username": "ana"}), 422, "ana")
    assert User.objects.count() == 1


def test_a_batch_is_bounded(api: APIClient) -> None:
    users = [{"external_id": str(number)} for number in range(1001)]
    assert_problem(upsert(api, *users), 422, "1000")


@pytest.mark.parametrize("body", [[], None, {}, {"users": "ana"}, {"items": []}])
def test_other_bodies_are_refused(api: APIClient, body: Any) -> None:
    response = api.post(ADDRESS, json.dumps(body), content_type="application/json")
    assert_problem(response, 422 if isinstance(body, dict) else 400, "users")


def test_erasing_takes_everything_of_the_user(api: APIClient) -> None:
    upsert(api, {"external_id": "ana"}, {"external_id": "ben"})
    api.post("/api/v1/items", {"items": [{"external_id": "a", "title": "A"}]}, format="json")
    events = [{"event_id": name, "user": name, "item": "a", "kind": "like"} for name in ("ana", "ben")]
    api.post("/api/v1/events", {"events": events}, format="json")
    api.get(f"{ADDRESS}/ana/recommendations")
    assert api.delete(f"{ADDRESS}/ana").status_code == 204
    assert_problem(api.get(f"{ADDRESS}/ana"), 404)
    from recsys.events.models import Interaction
    from recsys.recommend.models import Slate

    assert [row.user.external_id for row in Interaction.objects.select_related("user")] == ["ben"]
    assert not Slate.objects.exists()


def test_partners_cannot_erase_who_signed_up_nor_staff(api: APIClient) -> None:
    member = User.objects.create_user("ana")
    staff = User.objects.create_user("boss", external_id="boss", is_staff=True)
    assert_problem(api.delete(f"{ADDRESS}/id:{member.pk}"), 403)
    assert_problem(api.delete(f"{ADDRESS}/boss"), 403)
    assert_problem(api.delete(f"{ADDRESS}/id:{staff.pk}"), 403)
    assert User.objects.count() == 2


def test_inactive_users_are_not_there(api: APIClient) -> None:
    User.objects.create_user("ana", external_id="ana", is_active=False)
    assert_problem(api.get(f"{ADDRESS}/ana"), 404)
    assert_problem(api.get(f"{ADDRESS}/ana/recommendations"), 404)


def test_an_inactive_user_can_still_be_erased(api: APIClient) -> None:
    User.objects.create_user("ana", external_id="ana", is_active=False)
    assert api.delete(f"{ADDRESS}/ana").status_code == 204
    assert not User.objects.exists()


def test_partners_cannot_change_staff(api: APIClient) -> None:
    User.objects.create_user("boss", external_id="boss", is_staff=True)
    response = upsert(api, {"external_id": "ana"}, {"external_id": "boss", "username": "locked-out"})
    assert assert_problem(response, 422)["errors"][0]["index"] == 1
    assert list(User.objects.values_list("username", flat=True)) == ["boss"]
