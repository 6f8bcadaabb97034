"""Access tokens: for whom a partner's key gets them, and until when they hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from realtime.access import read_token, valid_issuers
from recsys.accounts.models import User
from recsys.partners.actions import do_create_client, do_create_key, do_revoke_key
from recsys.partners.models import ApiClient, ApiKey
from tests.partners.assertions import assert_problem

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/users/customer-4711/realtime-token"


@pytest.fixture
def ana(db: None) -> User:
    return User.objects.create_user("ana", external_id="customer-4711")


def ask(api: APIClient, body: Any = None, address: str = ADDRESS) -> Any:
    return api.post(address, body, format="json")


def test_a_token_lets_its_user_in_in_the_name_of_the_key(api: APIClient, ana: User) -> None:
    answer = ask(api, {"lifetime": 60}).json()
    access = read_token(answer["token"])
    assert (access.user, access.issuer) == (ana.pk, f"key:{ApiKey.objects.get().pk}")
    assert answer["expires_in"] == 60
    assert answer["url"] == "http://testserver/realtime/"


def test_the_address_is_that_which_the_partner_called(api: APIClient, ana: User, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["feeds.example.org"]
    answer = api.post(ADDRESS, HTTP_HOST="feeds.example.org", secure=True).json()
    assert answer["url"] == "https://feeds.example.org/realtime/"


@pytest.mark.parametrize("body", [None, {}])
def test_it_holds_for_ten_minutes_unless_asked_otherwise(api: APIClient, ana: User, body: Any) -> None:
    assert ask(api, body).json()["expires_in"] == 600


@pytest.mark.parametrize("lifetime", [59, 3601, 0, -60, 600.0, "600", True, None, [600]])
def test_a_lifetime_out_of_bounds_is_refused(api: APIClient, ana: User, lifetime: Any) -> None:
    problem = assert_problem(ask(api, {"lifetime": lifetime}), 422, "60 to 3600")
    assert problem["errors"][0]["field"] == "lifetime"


@pytest.mark.parametrize(("body", "status"), [([], 400), ({"user": "ben"}, 422)])
def test_other_bodies_are_refused(api: APIClient, ana: User, body: Any, status: int) -> None:
    assert_problem(ask(api, body), status)


@pytest.mark.parametrize("scope", ["read", "write"])
def test_either_scope_alone_is_not_enough(make_api: Callable[..., APIClient], ana: User, scope: str) -> None:
    """A token reads and says things in the user's name."""
    missing = {"read": "write", "write": "read"}[scope]
    assert_problem(ask(make_api(scope)), 403, missing)


def test_users_who_are_not_there_get_none(api: APIClient, ana: User) -> None:
    assert_problem(ask(api, address="/api/v1/users/nobody/realtime-token"), 404)
    User.objects.filter(pk=ana.pk).update(is_active=False)
    assert_problem(ask(api), 404)


def test_a_user_may_be_named_by_number(api: APIClient, ana: User) -> None:
    answer = ask(api, address=f"/api/v1/users/id:{ana.pk}/realtime-token")
    assert read_token(answer.json()["token"]).user == ana.pk


@pytest.mark.parametrize("power", ["is_staff", "is_superuser"])
def test_staff_are_nobodys_to_pretend(api: APIClient, ana: User, power: str) -> None:
    User.objects.filter(pk=ana.pk).update(**{power: True})
    assert_problem(ask(api), 403, "whom partners sent")


def test_nor_is_who_signed_up(api: APIClient) -> None:
    member = User.objects.create_user("member")
    assert_problem(ask(api, address=f"/api/v1/users/id:{member.pk}/realtime-token"), 403, "whom partners sent")


def test_tokens_hold_as_long_as_their_key_does(client_row: ApiClient, django_assert_num_queries: Any) -> None:
    other = do_create_client(name="Forum")
    kept, revoked, theirs = (
        do_create_key(client=client, scopes=["read", "write"]).key for client in (client_row, client_row, other)
    )
    issuers = [f"key:{key.pk}" for key in (kept, revoked, theirs)]
    assert valid_issuers(issuers) == set(issuers)
    do_revoke_key(key=revoked)
    ApiClient.objects.filter(pk=other.pk).update(is_active=False)
    with django_assert_num_queries(1):
        assert valid_issuers(issuers) == {issuers[0]}


@pytest.mark.parametrize("issuer", ["", "key:", "key:x", "key:0", "user:1", "1"])
def test_what_is_no_key_holds_for_nobody(client_row: ApiClient, issuer: str) -> None:
    do_create_key(client=client_row, scopes=["read"])
    assert valid_issuers([issuer]) == set()
