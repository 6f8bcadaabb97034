from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.validation import validate_schema
from rest_framework.test import APIClient

from recsys.catalog.models import Item


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    fetched: dict[str, Any] = Client().get("/api/schema/").json()
    return fetched


def test_the_schema_is_valid_and_complete() -> None:
    """Fails on every warning of the generator, such as an endpoint that it cannot describe."""
    out = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    assert "openapi: 3" in out.getvalue()


def test_the_schema_is_served_to_all(schema: dict[str, Any]) -> None:
    validate_schema(schema)
    assert set(schema["paths"]) >= {
        "/api/v1/items",
        "/api/v1/items/{external_id}",
        "/api/v1/items/{external_id}/similar",
        "/api/v1/users",
        "/api/v1/users/{external_id}",
        "/api/v1/users/{external_id}/recommendations",
        "/api/v1/users/{external_id}/timeline",
        "/api/v1/events",
        "/api/v1/trending",
    }


def test_every_operation_names_its_errors_and_its_key(schema: dict[str, Any]) -> None:
    for path in schema["paths"].values():
        for operation in path.values():
            assert {"400", "401", "403", "429"} <= set(operation["responses"])
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert list(response["content"]) == ["application/problem+json"]
            assert operation["security"] == [{"ApiKey": []}]


@pytest.mark.django_db
def test_the_documented_bodies_are_accepted(api: APIClient, schema: dict[str, Any]) -> None:
    """In the order in which a partner would send them: what an event names must be there."""
    for path in ("/api/v1/items", "/api/v1/users", "/api/v1/events"):
        examples = schema["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"]
        for example in examples.values():
            response = api.post(path, example["value"], format="json")
            assert response.status_code == 200, response.content


@pytest.mark.django_db
@pytest.mark.parametrize("batch", ["ItemBatch", "UserBatch", "EventBatch"])
def test_every_documented_field_is_known(api: APIClient, schema: dict[str, Any], batch: str) -> None:
    """The checks live with the apps and the description here, so they could drift apart."""
    properties = schema["components"]["schemas"][batch]["properties"]
    (name,) = properties
    element = schema["components"]["schemas"][properties[name]["items"]["$ref"].rpartition("/")[2]]
    row = dict.fromkeys(element["properties"]) | {"unheard_of": 1}
    response = api.post(f"/api/v1/{name}", {name: [row]}, format="json")
    unknown = {error["field"] for error in response.json()["errors"] if "o such field" in error["message"].lower()}
    unknown |= {error["field"] for error in response.json()["errors"] if "Unknown field" in error["message"]}
    assert unknown == {"unheard_of"}
    assert not Item.objects.exists()


def test_the_page_is_made_of_files_of_ours_under_the_policy_of_all_pages() -> None:
    page = Client().get("/api/docs/")
    assert page.status_code == 200
    assert page.headers["Content-Security-Policy"] == Client().get("/api/schema/").headers["Content-Security-Policy"]
    html = page.content.decode()
    assert "<script>" not in html
    assert "<style" not in html
    assert "/static/drf_spectacular_sidecar/" in html
    assert "https://" not in html
    script = Client().get("/api/docs/?script=")
    assert script.headers["Content-Type"].startswith("application/javascript")
    assert "SwaggerUIBundle" in script.content.decode()


def test_the_policy_forbids_inline_code_in_every_answer() -> None:
    for address in ("/api/docs/", "/api/schema/", "/api/nothing", "/api/v1/items/x"):
        policy = Client().get(address).headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
