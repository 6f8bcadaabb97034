from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.partners.views.items import EXAMPLE
from tests.partners.assertions import assert_problem

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/items"
ODD_NAMES = [
    "a b", "a/b", "/", "a/", "//", "a?b=c#d", "100%", "%2F", "ünï-ćødé", "日本", "😀", "a+b", "a&b=c", '"quoted"', "'",
    ";--", "a\\b", "a:b", "@me", "{x}", "a\tb", "similar", "timeline/x", "trailing ", "id", "a\nb",
]  # fmt: skip


def upsert(api: APIClient, *items: Any) -> Any:
    return api.post(ADDRESS, {"items": list(items)}, format="json")


def named(name: str) -> str:
    return f"{ADDRESS}/{quote(name, safe='')}"


def test_the_documented_example_is_stored_and_shown(api: APIClient) -> None:
    sent = EXAMPLE["items"][0]
    assert upsert(api, sent).json() == {"created": 1, "updated": 0, "unchanged": 0}
    shown = api.get(named("film/949")).json()
    assert {name: shown[name] for name in sent} == sent
    assert shown["id"] == Item.objects.get().pk


def test_a_batch_creates_replaces_and_leaves_alone(api: APIClient) -> None:
    upsert(api, {"external_id": "a", "title": "A", "tags": ["x"]}, {"external_id": "b", "title": "B"})
    second = upsert(
        api,
        {"external_id": "a", "title": "A2"},
        {"external_id": "b", "title": "B"},
        {"external_id": "c", "title": "C"},
    )
    assert second.json() == {"created": 1, "updated": 1, "unchanged": 1}
    assert api.get(named("a")).json()["tags"] == []


def test_an_empty_batch_is_nothing(api: APIClient) -> None:
    assert upsert(api).json() == {"created": 0, "updated": 0, "unchanged": 0}


def test_one_bad_item_refuses_the_batch_and_is_named(api: APIClient) -> None:
    response = upsert(api, {"external_id": "a", "title": "A"}, {"external_id": "b", "title": 5, "colour": "red"}, 7)
    problem = assert_problem(response, 422, "nothing was stored".capitalize())
    assert [(error["index"], error["field"]) for error in problem["errors"]] == [(1, "colour"), (1, "title"), (2, "")]
    assert all(error["message"] for error in problem["errors"])
    assert not Item.objects.exists()


@pytest.mark.parametrize(
    "body", [[], "x", 5, None, {}, {"items": {}}, {"items": None}, {"items": [], "more": 1}, {"users": []}]
)
def test_other_bodies_are_refused(api: APIClient, body: Any) -> None:
    response = api.post(ADDRESS, json.dumps(body), content_type="application/json")
    assert_problem(response, 422 if isinstance(body, dict) else 400, "items")


def test_a_batch_is_bounded(api: APIClient) -> None:
    items = [{"external_id": str(number), "title": "T"} for number in range(1001)]
    assert_problem(upsert(api, *items), 422, "1000")
    assert upsert(api, *items[:1000]).json()["created"] == 1000


def test_a_batch_takes_few_queries(api: APIClient) -> None:
    def queries(count: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            upsert(api, *({"external_id": f"{count}-{number}", "title": "T"} for number in range(count)))
        return len(captured)

    queries(1)
    assert queries(2) == queries(500)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_may_hold_anything(api: APIClient, name: str) -> None:
    assert upsert(api, {"external_id": name, "title": "T"}).status_code == 200
    response = api.get(named(name.strip()))
    assert response.status_code == 200, response.content
    assert response.json()["external_id"] == name.strip()
    assert api.delete(named(name.strip())).status_code == 204
    assert not Item.objects.exists()


@pytest.mark.parametrize("name", ["\0", "a\0b", "x" * 129, "x" * 3000, "id:0", "id:99999999999999999999", "id:-1"])
def test_names_that_nothing_can_have(api: APIClient, name: str) -> None:
    assert_problem(api.get(named(name)), 404)
    assert_problem(api.delete(named(name)), 404)


def test_an_address_that_is_not_utf_8(api: APIClient) -> None:
    assert_problem(api.get(f"{ADDRESS}/%ff%fe"), 404)


def test_the_form_of_numbers_is_reserved(api: APIClient) -> None:
    assert_problem(upsert(api, {"external_id": "id:5", "title": "T"}), 422, "reserved")
    assert_problem(upsert(api, {"external_id": " id:5", "title": "T"}), 422, "reserved")


def test_what_people_posted_has_a_number_for_a_name(api: APIClient) -> None:
    posted = Item.objects.create(title="Hello", kind="post")
    assert api.get(named(f"id:{posted.pk}")).json()["external_id"] is None
    assert_problem(api.delete(named(f"id:{posted.pk}")), 403, "author")
    assert Item.objects.filter(pk=posted.pk).exists()


def test_deleting_takes_the_item_and_its_events(api: APIClient) -> None:
    upsert(api, {"external_id": "a", "title": "A"})
    User.objects.create_user("ana", external_id="ana")
    event = {"event_id": "1", "user": "ana", "item": "a", "kind": "click"}
    assert api.post("/api/v1/events", {"events": [event]}, format="json").status_code == 200
    assert api.delete(named("a")).status_code == 204
    assert_problem(api.get(named("a")), 404)
    assert_problem(api.delete(named("a")), 404)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM events_interaction")
        assert cursor.fetchone() == (0,)


def test_unknown_parameters_are_refused(api: APIClient) -> None:
    problem = assert_problem(api.get(named("a") + "?colour=red"), 400, "no such parameter")
    assert problem["errors"][0]["field"] == "colour"
    assert_problem(api.post(ADDRESS + "?dry_run=1", {"items": []}, format="json"), 400)


def test_answers_are_not_cached(api: APIClient) -> None:
    upsert(api, {"external_id": "a", "title": "A"})
    assert api.get(named("a")).headers["Cache-Control"] == "no-store"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["", "/similar"])
def test_what_is_not_for_everybody_is_not_found(api: APIClient, path: str) -> None:
    item = Item.objects.create(title="Secret", external_id="secret")
    assert api.get(f"/api/v1/items/secret{path}").status_code == 200
    Item.objects.filter(pk=item.pk).update(is_withheld=True)
    problem = assert_problem(api.get(f"/api/v1/items/secret{path}"), 404)
    assert "Secret" not in str(problem)
    assert_problem(api.get(f"/api/v1/items/id:{item.pk}{path}"), 404)
