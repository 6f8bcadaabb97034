from __future__ import annotations

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from recsys.accounts.models import User
from recsys.partners.actions import do_create_key
from recsys.partners.models import ApiClient, ApiKey
from recsys.partners.selectors import find_key
from tests.admin.conftest import allow

pytestmark = pytest.mark.django_db
LIST = "/admin/partners/apiclient/"


@pytest.fixture
def shop() -> ApiClient:
    return ApiClient.objects.create(name="Shop")


def test_a_new_key_is_shown_in_one_answer_and_nowhere_else(admin: Client, shop: ApiClient):
    page = f"{LIST}{shop.pk}/key/"
    response = admin.post(page, {"scopes": ["read", "write"]})
    (text,) = set(re.findall(r"trib_\w+", response.content.decode()))
    key = find_key(text)
    assert key is not None
    assert key.scopes == ["read", "write"]
    assert "no-store" in response.headers["Cache-Control"]
    secret = text.rsplit("_", 1)[1]
    for other in (page, f"{LIST}{shop.pk}/change/", f"/admin/partners/apikey/{key.pk}/change/", "/admin/"):
        assert secret not in admin.get(other).content.decode()
    assert not LogEntry.objects.filter(change_message__contains=secret).exists()
    assert LogEntry.objects.filter(change_message__contains=key.prefix).exists()


@pytest.mark.parametrize("scopes", [[], ["everything"], ["read", "x"]])
def test_a_key_needs_scopes_that_exist(admin: Client, shop: ApiClient, scopes: list[str]):
    response = admin.post(f"{LIST}{shop.pk}/key/", {"scopes": scopes})
    assert response.status_code == 200
    assert response.context["form"].errors
    assert not ApiKey.objects.exists()


def test_a_key_of_nobody_is_not_found(admin: Client):
    assert admin.get(f"{LIST}999/key/").status_code == 404


def test_a_revoked_key_is_refused(admin: Client, shop: ApiClient):
    created = do_create_key(client=shop, scopes=["read"])
    data = {"action": "revoke", "_selected_action": [created.key.pk]}
    response = admin.post("/admin/partners/apikey/", data, follow=True)
    assert "is refused from the next request on" in response.content.decode()
    api = Client(headers={"Authorization": f"Bearer {created.text}"})
    assert api.get("/api/v1/trending").status_code == 401


def test_a_client_is_added_and_its_changes_told_in_words(admin: Client):
    inline = {"keys-TOTAL_FORMS": 0, "keys-INITIAL_FORMS": 0}
    admin.post(LIST + "add/", {"name": "Shop", "is_active": "on", "requests_per_minute": 60, **inline})
    shop = ApiClient.objects.get()
    response = admin.post(f"{LIST}{shop.pk}/change/", {"name": "Shop", "requests_per_minute": 90, **inline})
    assert response.status_code == 302, response.context["errors"]
    shop.refresh_from_db()
    assert (shop.is_active, shop.requests_per_minute) == (False, 90)
    assert LogEntry.objects.latest("pk").get_change_message() == "Is active: True → False; Requests per minute: 60 → 90"


@pytest.mark.parametrize("rate", [0, -1, "x", 2**31])
def test_an_allowance_that_makes_no_sense_is_refused(admin: Client, rate: object):
    inline = {"keys-TOTAL_FORMS": 0, "keys-INITIAL_FORMS": 0}
    response = admin.post(LIST + "add/", {"name": "Shop", "requests_per_minute": rate, **inline})
    assert response.status_code == 200
    assert "requests_per_minute" in response.context["adminform"].form.errors


def test_who_may_only_look_makes_and_revokes_no_keys(clerk_client: Client, clerk: User, shop: ApiClient):
    key = do_create_key(client=shop, scopes=["read"]).key
    allow(clerk, "partners.view_apiclient", "partners.view_apikey")
    assert clerk_client.post(f"{LIST}{shop.pk}/key/", {"scopes": ["read"]}).status_code == 403
    clerk_client.post("/admin/partners/apikey/", {"action": "revoke", "_selected_action": [key.pk]})
    key.refresh_from_db()
    assert key.revoked_at is None
