from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from recsys.partners.actions import do_create_client, do_create_key


@pytest.fixture
def reading_api(db: None) -> APIClient:
    """An HTTP client whose key may only read."""
    return make_api("read")


@pytest.fixture
def full_api(db: None) -> APIClient:
    """An HTTP client whose key may read and write."""
    return make_api("read", "write")


def make_api(*scopes: str) -> APIClient:
    api = APIClient(raise_request_exception=False)
    key = do_create_key(client=do_create_client(name=f"Shop {scopes}"), scopes=scopes)
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {key.text}")
    return api
