from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events import limits
from recsys.events.models import Interaction
from tests.catalog.makers import make_item, make_user

pytestmark = pytest.mark.django_db

URL = "/events/"


@pytest.fixture
def ana() -> User:
    return make_user(region="GB")


@pytest.fixture
def item() -> Item:
    return make_item()


@pytest.fixture
def browser(ana: User) -> Client:
    client = Client()
    client.force_login(ana)
    return client


def send(browser: Client, item: Item | None = None, **fields: Any) -> Any:
    event = {"event_id": "e1", "kind": "view", **({"item": item.pk} if item else {}), **fields}
    return browser.post(URL, event, content_type="application/json")


def test_has_its_name():
    assert reverse("record-event") == URL


def test_a_script_sends_json_and_gets_json(browser, ana, item):
    slate = uuid.uuid4()
    response = send(browser, item, kind="rate", value=4.5, recommendation_id=str(slate))
    assert (response.status_code, response.json()) == (200, {"accepted": 1, "duplicates": 0})
    stored = Interaction.objects.get()
    assert (stored.user_id, stored.item_id, stored.value, stored.region) == (ana.pk, item.pk, 4.5, "GB")
    assert stored.recommendation_id == slate


def test_sending_it_again_counts_once(browser, item):
    send(browser, item)
    assert send(browser, item).json() == {"accepted": 0, "duplicates": 1}
    assert Interaction.objects.count() == 1


def test_a_form_goes_back_to_where_it_was(browser, item):
    form = {"event_id": "e1", "item": item.pk, "kind": "rate", "value": "4", "next": "/items/1/"}
    response = browser.post(URL, form)
    assert (response.status_code, response["Location"]) == (302, "/items/1/")
    assert Interaction.objects.get().value == 4


def test_a_form_cannot_lead_off_the_site(browser, item):
    form = {"event_id": "e1", "item": item.pk, "kind": "like", "next": "https://evil.example/"}
    assert browser.post(URL, form)["Location"] == reverse("home")


def test_htmx_gets_nothing_to_swap(browser, item):
    form = {"event_id": "e1", "item": item.pk, "kind": "like"}
    assert browser.post(URL, form, headers={"HX-Request": "true"}).status_code == 204


def test_a_visitor_must_log_in(item):
    visitor = Client()
    response = send(visitor, item)
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"
    assert visitor.post(URL, {"item": item.pk}, headers={"HX-Request": "true"}).status_code == 401
    assert reverse("account_login") in visitor.post(URL, {"item": item.pk})["Location"]
    assert not Interaction.objects.exists()


def test_without_the_csrf_token_nothing_is_recorded(ana, item):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ana)
    assert send(strict, item).status_code == 403
    assert not Interaction.objects.exists()


def test_reading_is_no_way_to_record(browser, item):
    assert browser.get(URL, {"event_id": "e1", "item": item.pk, "kind": "like"}).status_code == 405


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ("{", "", "one JSON object"),
        ("[]", "", "one JSON object"),
        ("\xff\xfe", "", "one JSON object"),
        ("[" * 5000, "", "one JSON object"),
        ('{"event_id": "e1", "kind": "view"}', "item", "number of an item"),
        ('{"event_id": "e1", "kind": "view", "item": -1}', "item", "number of an item"),
        ('{"event_id": "e1", "kind": "view", "item": "\\u00b2"}', "item", "number of an item"),
        ('{"event_id": "e1", "kind": "view", "item": 99999999999999999999}', "item", "number of an item"),
        ('{"event_id": "e1", "kind": "view", "item": 999999999999}', "item", "There is no item"),
        ('{"event_id": "e1", "kind": "buy", "item": 1}', "kind", "one of"),
        ('{"event_id": "e1", "kind": "rate", "item": 1, "value": NaN}', "value", "rating"),
        ('{"event_id": "e1", "kind": "view", "item": 1, "user": 1}', "user", "no such field"),
        ('{"event_id": "e1", "kind": "view", "item": 1, "occurred_at": null}', "occurred_at", "no such field"),
        ('{"event_id": "\\u0000", "kind": "view", "item": 1}', "event_id", "NUL"),
    ],
)
def test_says_what_is_wrong(browser, body, field, says):
    response = browser.post(URL, body.encode("latin-1"), content_type="application/json")
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    [error] = response.json()["errors"]
    assert error["field"] == field
    assert says in error["message"]
    assert not Interaction.objects.exists()


def test_a_form_with_a_rating_that_is_none(browser, item):
    response = browser.post(URL, {"event_id": "e1", "item": item.pk, "kind": "rate", "value": "many"})
    assert response.status_code == 400


def test_a_body_that_is_too_large_is_not_read(browser, item):
    assert send(browser, item, event_id="x" * 9000).status_code == 413


def test_nobody_acts_faster_than_a_person_can(browser, item, monkeypatch):
    monkeypatch.setattr(limits, "EVENTS_A_MINUTE", 2)
    answers = [send(browser, item, event_id=f"e{number}").status_code for number in range(4)]
    assert answers[:2] == [200, 200]
    assert 429 in answers[2:]  # the minute may have turned in between
    refused = send(browser, item, event_id="e9")
    assert refused.status_code == 200 or 0 < int(refused["Retry-After"]) <= 60


def test_events_come_in_while_valkey_is_away(browser, item, settings):
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    assert send(browser, item).status_code == 200
