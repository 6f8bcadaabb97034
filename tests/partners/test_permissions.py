from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from recsys.catalog.models import Item
from tests.partners.assertions import assert_problem

pytestmark = pytest.mark.django_db
ITEM = {"items": [{"external_id": "a", "title": "A"}]}


def test_a_reading_key_cannot_write(make_api: Callable[..., APIClient]) -> None:
    api = make_api("read")
    assert_problem(api.post("/api/v1/items", ITEM, format="json"), 403, "write")
    assert_problem(api.delete("/api/v1/items/a"), 403, "write")
    assert_problem(api.delete("/api/v1/users/a"), 403, "write")
    assert not Item.objects.exists()


def test_a_writing_key_cannot_read(make_api: Callable[..., APIClient]) -> None:
    api = make_api("write")
    assert api.post("/api/v1/items", ITEM, format="json").status_code == 200
    for address in ("/api/v1/items/a", "/api/v1/users/a", "/api/v1/trending", "/api/v1/items/a/similar"):
        assert_problem(api.get(address), 403, "read")


def test_every_address_of_the_api_needs_a_key() -> None:
    """Also those that other apps add."""
    from django.urls import get_resolver

    anonymous = APIClient(raise_request_exception=False)
    seen = 0
    for pattern in get_resolver().url_patterns:
        for route in (str(sub.pattern) for sub in getattr(pattern, "url_patterns", ())):
            whole = str(pattern.pattern) + route
            if whole.startswith("api/v1/"):
                address = "/" + re.sub(r"<(\w+):\w+>", lambda kind: "1" if kind[1] == "int" else "x", whole)
                for method in ("get", "post", "delete", "put", "patch"):
                    assert_problem(getattr(anonymous, method)(address), 401)
                seen += 1
    assert seen >= 9
