from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from recsys.partners.actions import do_create_client, do_create_key
from recsys.partners.models import ApiClient
from recsys.partners.throttling import buckets


@pytest.fixture(autouse=True)
def _trust_valkey_again() -> None:
    """A test that takes Valkey away leaves the process avoiding it for some seconds."""
    buckets.__init__()  # type: ignore[misc]


@pytest.fixture
def client_row(db: None) -> ApiClient:
    return do_create_client(name="Web shop")


@pytest.fixture
def make_api(client_row: ApiClient) -> Callable[..., APIClient]:
    """Makes an HTTP client that sends a key with the given scopes; errors come back as answers, as from a server."""

    def make(*scopes: str, client: ApiClient | None = None, **headers: Any) -> APIClient:
        text = do_create_key(client=client or client_row, scopes=scopes or ("read", "write")).text
        api = APIClient(raise_request_exception=False)
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {text}", **headers)
        return api

    return make


@pytest.fixture
def api(make_api: Callable[..., APIClient]) -> APIClient:
    """A client with both scopes."""
    return make_api()
