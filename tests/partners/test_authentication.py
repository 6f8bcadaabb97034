from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from recsys.accounts.models import User
from recsys.partners.actions import do_create_key, do_revoke_key
from recsys.partners.models import ApiClient, ApiKey
from tests.partners.assertions import assert_problem

ADDRESS = "/api/v1/items/nothing"
pytestmark = pytest.mark.django_db


def get(header: str | None) -> object:
    headers: dict[str, Any] = {} if header is None else {"HTTP_AUTHORIZATION": header}
    return APIClient(raise_request_exception=False).get(ADDRESS, **headers)


def test_a_key_opens_the_api(api: APIClient) -> None:
    assert_problem(api.get(ADDRESS), 404, "nothing")


def test_without_a_key_the_answer_says_how_to_send_one() -> None:
    response = get(None)
    assert_problem(response, 401, "Authorization: Bearer trib_")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Basic dHJpYjp0cmli",
        "Bearer trib_000000000000_" + "0" * 48,
        "Bearer trib_x_y",
        "Bearer \xff\xfe",
        "Bearer " + "x" * 5000,
        "trib_000000000000_" + "0" * 48,
    ],
)
def test_other_credentials_are_refused(header: str) -> None:
    assert_problem(get(header), 401)


def test_a_key_with_another_secret_is_refused(client_row: ApiClient) -> None:
    created = do_create_key(client=client_row, scopes=["read"])
    assert_problem(get(f"Bearer {created.text[:-1]}{'0' if created.text[-1] != '0' else '1'}"), 401)
    assert_problem(get(f"Bearer {created.text.upper()}"), 401)


def test_only_the_digest_of_a_key_is_stored(client_row: ApiClient) -> None:
    created = do_create_key(client=client_row, scopes=["read"])
    key = ApiKey.objects.get(pk=created.key.pk)
    assert key.digest == hashlib.sha256(created.text.encode()).hexdigest()
    secret = created.text.rsplit("_", 1)[1]
    assert all(secret not in str(value) for value in vars(key).values())


def test_revoking_works_on_the_next_request(client_row: ApiClient) -> None:
    created = do_create_key(client=client_row, scopes=["read"])
    assert_problem(get(f"Bearer {created.text}"), 404)
    do_revoke_key(key=created.key)
    assert_problem(get(f"Bearer {created.text}"), 401, "revoked")


def test_a_client_that_is_switched_off_is_refused(api: APIClient, client_row: ApiClient) -> None:
    ApiClient.objects.update(is_active=False)
    assert_problem(api.get(ADDRESS), 401, "switched off")


def test_a_key_in_the_address_or_a_session_does_not_count(client_row: ApiClient) -> None:
    text = do_create_key(client=client_row, scopes=["read"]).text
    assert_problem(APIClient().get(f"{ADDRESS}?key={text}&Authorization=Bearer+{text}"), 401)
    browser = Client()
    browser.force_login(User.objects.create_superuser("root", password="x"))
    assert_problem(browser.get(ADDRESS), 401)
    assert_problem(browser.post("/api/v1/items", {"items": []}, content_type="application/json"), 401)


def test_the_use_of_a_key_is_written_at_most_once_a_minute(make_api: Callable[..., APIClient]) -> None:
    api = make_api()

    def writes() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            api.get(ADDRESS)
        return sum("last_used_at" in query["sql"] and query["sql"].startswith("UPDATE") for query in queries)

    assert writes() == 1
    assert writes() == 0
    ApiKey.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    assert writes() == 1


def test_authentication_is_one_query(api: APIClient) -> None:
    api.get(ADDRESS)
    with CaptureQueriesContext(connection) as queries:
        api.get(ADDRESS)
    assert sum("partners_apikey" in query["sql"] for query in queries) == 1
