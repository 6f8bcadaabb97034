from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from redis.exceptions import ConnectionError as ValkeyAway
from rest_framework.test import APIClient

from recsys.partners.problems import MAX_ERRORS
from recsys.partners.views import items
from tests.partners.assertions import assert_problem

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "address", ["/api/", "/api/v1/", "/api/v1/nothing", "/api/v2/items", "/api/v1/items/", "/api/%00", "/api/\u2028"]
)
def test_unknown_addresses(api: APIClient, address: str) -> None:
    assert_problem(api.get(address), 404, "/api/docs/")


@pytest.mark.parametrize("method", ["put", "patch", "options", "trace"])
def test_unknown_methods(api: APIClient, method: str) -> None:
    response = getattr(api, method)("/api/v1/items")
    assert_problem(response, 405)
    assert "POST" in response.headers["Allow"]


def test_formats_that_cannot_be_had(api: APIClient) -> None:
    assert_problem(api.get("/api/v1/items/x", HTTP_ACCEPT="text/html"), 406)
    assert_problem(api.get("/api/v1/items/x", HTTP_ACCEPT="nonsense"), 406)


def test_a_refused_host() -> None:
    assert_problem(Client().get("/api/v1/items/x", HTTP_HOST="evil.example"), 400)


def test_other_pages_keep_their_errors() -> None:
    response = Client().get("/healthz/nothing")
    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")


def fail_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(name: str) -> None:
        raise error

    monkeypatch.setattr(items, "find_item", fail)


def test_an_unexpected_error_is_logged_and_not_told(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fail_with(monkeypatch, RuntimeError("the secret plan"))
    problem = assert_problem(api.get("/api/v1/items/x"), 500, "request_id")
    assert "secret plan" not in str(problem)
    record = next(record for record in caplog.records if "api_failed" in record.getMessage())
    assert problem["request_id"] in record.getMessage()


@pytest.mark.parametrize("error", [OperationalError("host=db.internal refused"), ValkeyAway("valkey.internal")])
def test_a_service_that_is_away(api: APIClient, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    fail_with(monkeypatch, error)
    response = api.get("/api/v1/items/x")
    assert "internal" not in str(assert_problem(response, 503, "try again"))
    assert response.headers["Retry-After"] == "5"


def test_an_error_outside_of_any_view(api: APIClient, settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.partners.test_problems.failing_middleware"]
    assert_problem(api.get("/api/v1/items/x"), 500)


def failing_middleware(get_response: object) -> object:
    def fail(request: object) -> object:
        raise RuntimeError("outside")

    return fail


def test_the_list_of_errors_is_bounded(api: APIClient) -> None:
    problem = assert_problem(api.post("/api/v1/items", {"items": [{}] * 900}, format="json"), 422)
    assert len(problem["errors"]) == MAX_ERRORS
    assert problem["error_count"] == 1800


def test_a_long_address_is_not_echoed_whole(api: APIClient) -> None:
    assert len(assert_problem(api.get("/api/v1/items/" + "x" * 5000), 404)["instance"]) <= 200
