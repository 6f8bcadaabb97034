from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from rest_framework.test import APIClient

from realtime import streams
from realtime.subscriptions import Request, grants
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.recommend.models import Slate
from tests.partners.assertions import assert_problem

pytestmark = pytest.mark.django_db
PAST = datetime(2026, 1, 1, tzinfo=UTC)
FIELDS = {
    "position", "id", "external_id", "kind", "title", "url", "image_url", "source", "reason", "anchor", "score",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _community(db: None) -> None:
    User.objects.create_user("ana", external_id="ana", region="GB")
    Item.objects.bulk_create(
        Item(external_id=f"film-{number}", title=f"Film {number}", kind="film", published_at=PAST)
        for number in range(30)
    )
    Item.objects.create(title="Hello, world", kind="post", published_at=PAST)


def assert_slate(response: Any, *, live: bool = True) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.content
    body = response.json()
    assert set(body) == {"recommendation_id", "served_by", "items"} | ({"position"} if live else set())
    assert uuid.UUID(body["recommendation_id"])
    items: list[dict[str, Any]] = body["items"]
    assert all(set(item) == FIELDS and item["reason"] and item["source"] for item in items)
    return items


def test_recommendations(api: APIClient) -> None:
    response = api.get("/api/v1/users/ana/recommendations?count=5&surface=checkout")
    assert len(assert_slate(response)) == 5
    slate = Slate.objects.get(pk=response.json()["recommendation_id"])
    assert (slate.surface, slate.region) == ("checkout", "GB")


def test_the_region_of_the_moment_counts(api: APIClient) -> None:
    api.get("/api/v1/users/ana/recommendations?region=us_ca")
    assert Slate.objects.get().region == "US-CA"


def test_an_event_counts_in_the_next_request(api: APIClient) -> None:
    address = "/api/v1/users/ana/recommendations?kind=film"
    before = [item["external_id"] for item in assert_slate(api.get(address))]
    event = {"event_id": "1", "user": "ana", "item": before[0], "kind": "hide"}
    assert api.post("/api/v1/events", {"events": [event]}, format="json").status_code == 200
    after = [item["external_id"] for item in assert_slate(api.get(address))]
    assert before[0] not in after


def test_only_one_kind(api: APIClient) -> None:
    items = assert_slate(api.get("/api/v1/users/ana/recommendations?kind=post&count=50"))
    assert [(item["title"], item["external_id"]) for item in items] == [("Hello, world", None)]
    assert api.get(f"/api/v1/items/id:{items[0]['id']}").json()["title"] == "Hello, world"


def test_similar_items(api: APIClient) -> None:
    items = assert_slate(api.get("/api/v1/items/film-3/similar?count=4"), live=False)
    assert len(items) == 4
    assert "film-3" not in {item["external_id"] for item in items}


def test_trending(api: APIClient) -> None:
    assert len(assert_slate(api.get("/api/v1/trending?region=GB&count=3"))) == 3
    assert len(assert_slate(api.get("/api/v1/trending"))) == 10


@pytest.mark.parametrize(
    ("address", "user", "kind", "argument"),
    [
        ("users/ana/recommendations", True, "recommendations", ""),
        ("trending?region=GB", False, "trending", "GB"),
        ("trending", False, "trending", ""),
        ("items/film-3", False, "items", "film-3"),
    ],
)
def test_live_updates_go_on_from_the_position(
    api: APIClient, address: str, user: bool, kind: str, argument: str
) -> None:
    position = api.get(f"/api/v1/{address}").json()["position"]
    if kind == "items":
        argument = str(Item.objects.get(external_id=argument).pk)
    asker = User.objects.get(username="ana").pk if user else None
    (granted,) = grants(kind, [Request(asker, argument)])
    assert granted is not None
    streams.append([(granted.names[0], {"type": "test"})])
    recovery = streams.read(granted.names, position)
    assert (recovery.resync, recovery.events) == (False, [{"type": "test"}])


@pytest.mark.parametrize("address", ["users/ana/recommendations", "items/film-3/similar", "trending"])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("count=0", "count"),
        ("count=101", "count"),
        ("count=-1", "count"),
        ("count=ten", "count"),
        ("count=1.5", "count"),
        ("count=" + "9" * 2000, "count"),
        ("count=1&count=2", "count"),
        ("kind=%00", "kind"),
        ("kind=" + "x" * 33, "kind"),
        ("limit=5", "limit"),
    ],
)
def test_bad_parameters_are_named(api: APIClient, address: str, query: str, field: str) -> None:
    problem = assert_problem(api.get(f"/api/v1/{address}?{query}"), 400)
    assert problem["errors"][0]["field"] == field
    assert not Slate.objects.exists()


@pytest.mark.parametrize("region", ["Mars", "%00", "%ff", "x" * 65, "GB-" + "x" * 9])
def test_a_bad_region_is_refused(api: APIClient, region: str) -> None:
    assert_problem(api.get(f"/api/v1/trending?region={region}"), 400, "region")


@pytest.mark.parametrize("surface", ["For%20you", "9x", "x" * 33, "a-b"])
def test_a_bad_surface_is_refused(api: APIClient, surface: str) -> None:
    assert_problem(api.get(f"/api/v1/users/ana/recommendations?surface={surface}"), 400, "surface")


def test_unknown_names(api: APIClient) -> None:
    assert_problem(api.get("/api/v1/users/nobody/recommendations"), 404, "nobody")
    assert_problem(api.get("/api/v1/items/nothing/similar"), 404, "nothing")


def test_answers_are_plain_json(api: APIClient) -> None:
    response = api.get("/api/v1/trending")
    assert response.headers["Content-Type"] == "application/json"
    assert json.loads(response.content)
