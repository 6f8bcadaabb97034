"""Nonsense of every kind to every endpoint: never an error of ours, and always one shape."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from recsys.accounts.models import User
from recsys.catalog.models import Item
from tests.partners.assertions import assert_problem

pytestmark = pytest.mark.django_db
READS = ["items/{}", "items/{}/similar", "users/{}", "users/{}/recommendations", "users/{}/timeline"]
WRITES = {"items": "external_id", "users": "external_id", "events": "event_id"}
NONSENSE: list[Any] = [
    None, True, 0, -1, 1.5, 2**63 - 1, "", " ", "x" * 100_000, "\u202e", "'; DROP TABLE outbox; --", "../../etc/passwd",
    "<script>alert(1)</script>", [], [[]], {}, {"": ""}, {"a": {"b": {"c": [1, {"d": None}]}}}, ["a"] * 1000, "id:1",
    "😀" * 50,
]  # fmt: skip
FIELDS = {
    "items": [
        "external_id", "title", "kind", "description", "category", "tags", "regions", "url", "image_url", "attributes",
        "is_available", "published_at",
    ],
    "users": ["external_id", "username", "display_name", "bio", "region"],
    "events": ["event_id", "user", "item", "kind", "value", "occurred_at", "region", "recommendation_id"],
}  # fmt: skip
GOOD = {
    "items": {"external_id": "a", "title": "A"},
    "users": {"external_id": "a"},
    "events": {"event_id": "1", "user": "ana", "item": "film", "kind": "click"},
}
RELAXED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _community(db: None) -> None:
    User.objects.create_user("ana", external_id="ana")
    Item.objects.create(external_id="film", title="Heat")


def assert_answered(response: Any) -> None:
    """Done, or a problem that is the client's to mend."""
    if response.status_code >= 300:
        assert response.status_code < 500, response.content
        assert_problem(response, response.status_code)


def post(api: APIClient, name: str, body: Any) -> Any:
    return api.post(f"/api/v1/{name}", json.dumps(body), content_type="application/json")


@pytest.mark.parametrize("name", WRITES)
def test_nonsense_in_every_field(api: APIClient, name: str) -> None:
    for field in FIELDS[name]:
        for value in NONSENSE:
            assert_answered(post(api, name, {name: [GOOD[name] | {field: value}]}))


@pytest.mark.parametrize("name", WRITES)
def test_nonsense_as_a_body(api: APIClient, name: str) -> None:
    for value in NONSENSE:
        assert_answered(post(api, name, value))
        assert_answered(post(api, name, {name: value}))
        assert_answered(post(api, name, {name: [value]}))


@pytest.mark.parametrize("address", READS)
def test_nonsense_as_a_name(api: APIClient, address: str) -> None:
    for value in [*(value for value in NONSENSE if isinstance(value, str)), "\0", "%", "id:", "id:x", "id:" + "9" * 19]:
        assert_answered(api.get("/api/v1/" + address.format(quote(value[:4000], safe=""))))


@pytest.mark.parametrize(
    "address", ["users/ana/recommendations", "items/film/similar", "trending", "users/ana/timeline"]
)
@pytest.mark.parametrize("parameter", ["count", "surface", "region", "kind", "before", "limit", "nothing"])
def test_nonsense_in_every_parameter(api: APIClient, address: str, parameter: str) -> None:
    for value in [*(str(value)[:3000] for value in NONSENSE), "\0", "١", "1e3", "0x10", "NaN", "9" * 5000]:
        assert_answered(api.get(f"/api/v1/{address}?{parameter}={quote(value)}"))
    for raw in ("%ff", "%ed%a0%80", "%", "%zz"):
        assert_answered(api.get(f"/api/v1/{address}?{parameter}={raw}"))


@RELAXED
@given(name=st.sampled_from(sorted(WRITES)), data=st.data())
def test_any_json_is_answered(api: APIClient, name: str, data: st.DataObject) -> None:
    row = data.draw(st.dictionaries(st.sampled_from(FIELDS[name]), values, max_size=5))
    assert_answered(post(api, name, {name: [GOOD[name] | row, data.draw(values)]}))
    assert_answered(post(api, name, {name: [GOOD[name] | row]}))


@RELAXED
@given(address=st.sampled_from(READS), name=st.text(max_size=140), query=st.text(max_size=30))
def test_any_address_is_answered(api: APIClient, address: str, name: str, query: str) -> None:
    encoded = quote(name.encode(errors="surrogatepass"), safe="")
    parameters = quote(query.encode(errors="surrogatepass"), safe="=&")
    assert_answered(api.get(f"/api/v1/{address.format(encoded)}?{parameters}"))
