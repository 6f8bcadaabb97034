from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events.models import Interaction
from recsys.partners.actions import do_create_client
from recsys.partners.views.events import EXAMPLE
from tests.partners.assertions import assert_problem

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _community(db: None) -> None:
    User.objects.create_user("ana", external_id="customer-4711", region="GB")
    Item.objects.create(external_id="film/949", title="Heat")


def record(api: APIClient, *events: Any) -> Any:
    return api.post("/api/v1/events", {"events": list(events)}, format="json")


def event(**changes: Any) -> dict[str, Any]:
    return {"event_id": "1", "user": "customer-4711", "item": "film/949", "kind": "click"} | changes


def test_the_documented_example_is_stored(api: APIClient) -> None:
    assert record(api, *EXAMPLE["events"]).json() == {"accepted": 2, "duplicates": 0}
    assert {(row.kind, row.value, row.region) for row in Interaction.objects.all()} == {
        ("view", None, "GB"),
        ("rate", 4.5, "GB"),
    }


def test_a_repetition_counts_once_whatever_it_says(api: APIClient) -> None:
    record(api, event())
    repeated = event(kind="like", occurred_at=(datetime.now(UTC) - timedelta(days=2)).isoformat())
    assert record(api, repeated, event(event_id="2"), event(event_id="2")).json() == {"accepted": 1, "duplicates": 2}
    assert Interaction.objects.count() == 2


def test_clients_choose_their_event_ids_independently(api: APIClient, make_api: Callable[..., APIClient]) -> None:
    record(api, event())
    other = make_api(client=do_create_client(name="Other"))
    assert record(other, event()).json()["accepted"] == 1


def test_users_and_items_can_be_named_by_number(api: APIClient) -> None:
    numbers = {"user": f"id:{User.objects.get().pk}", "item": f"id:{Item.objects.get().pk}"}
    assert record(api, event(**numbers)).json()["accepted"] == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"event_id": ""}, "event_id"),
        ({"event_id": None}, "event_id"),
        ({"event_id": "x" * 65}, "event_id"),
        ({"event_id": 5}, "event_id"),
        ({"user": "nobody"}, "user"),
        ({"user": ["customer-4711"]}, "user"),
        ({"user": "id:999999999999999999"}, "user"),
        ({"user": "id:99999999999999999999999"}, "user"),
        ({"item": {"id": 1}}, "item"),
        ({"item": "nothing"}, "item"),
        ({"item": "x" * 1000}, "item"),
        ({"kind": "stare"}, "kind"),
        ({"kind": ["click"]}, "kind"),
        ({"kind": {}}, "kind"),
        ({"kind": "rate"}, "value"),
        ({"kind": "rate", "value": 6}, "value"),
        ({"kind": "rate", "value": "5"}, "value"),
        ({"kind": "rate", "value": 10**18}, "value"),
        ({"value": 3}, "value"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": 5}, "occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59-14:00"}, "occurred_at"),
        ({"occurred_at": "2999-01-01T00:00:00Z"}, "occurred_at"),
        ({"region": "Mars"}, "region"),
        ({"region": 5}, "region"),
        ({"recommendation_id": "x"}, "recommendation_id"),
        ({"recommendation_id": 5}, "recommendation_id"),
        ({"recommendation_id": []}, "recommendation_id"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_event_refuses_the_batch_and_is_named(api: APIClient, changes: dict[str, Any], field: str) -> None:
    problem = assert_problem(record(api, event(), event(**({"event_id": "2"} | changes))), 422)
    assert {(error["index"], error["field"]) for error in problem["errors"]} == {(1, field)}
    assert not Interaction.objects.exists()


@pytest.mark.parametrize("row", [None, 5, "x", [], [1]])
def test_an_event_is_an_object(api: APIClient, row: Any) -> None:
    assert assert_problem(record(api, row), 422)["errors"][0]["index"] == 0


def test_a_batch_takes_few_queries(api: APIClient) -> None:
    def queries(count: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert record(api, *(event(event_id=f"{count}-{number}") for number in range(count))).status_code == 200
        return len(captured)

    queries(1)
    assert queries(2) == queries(500)
