from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from recsys.catalog.models import Item
from recsys.outbox.models import OutboxRow
from recsys.services import metrics
from recsys.services.metrics import exposition

pytestmark = pytest.mark.django_db


def samples(text: str | None = None) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(text or exposition().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(name: str, **labels: str) -> float:
    return samples().get((name, frozenset(labels.items())), 0.0)


def test_requests_are_counted_by_the_pattern_of_their_address() -> None:
    labels = {"view": "api/v1/items/<name:external_id>", "method": "GET", "status": "401"}
    before = value("tributary_http_requests_total", **labels)
    for name in ("a", "b"):
        Client().get(f"/api/v1/items/{name}")
    assert value("tributary_http_requests_total", **labels) == before + 2
    del labels["status"]
    assert value("tributary_http_request_seconds_count", **labels) >= 2


def test_what_clients_make_up_becomes_no_label() -> None:
    Client().generic("BREW", "/coffee-8472")
    text = exposition().decode()
    assert "BREW" not in text
    assert "coffee-8472" not in text


def test_the_state_of_the_outbox_is_asked_at_the_scrape() -> None:
    OutboxRow.objects.all().delete()
    assert value("tributary_outbox_lag_seconds") == 0
    Item.objects.create(title="Heat")
    Item.objects.create(title="Ronin")
    parked = OutboxRow.objects.first()
    assert parked is not None
    OutboxRow.objects.filter(pk=parked.pk).update(parked_at=parked.created_at)
    assert value("tributary_outbox_rows", topic="catalog.item", state="due") == 1
    assert value("tributary_outbox_rows", topic="catalog.item", state="parked") == 1
    assert value("tributary_outbox_lag_seconds") >= 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, 200),
        ({"REMOTE_ADDR": "::1"}, 200),
        ({"REMOTE_ADDR": "10.0.0.1"}, 403),
        ({"REMOTE_ADDR": ""}, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "8.8.8.8"}, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": "for=8.8.8.8"}, 403),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 403),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_AUTHORIZATION": "Bearer "}, 403),
    ],
)
def test_only_this_machine_may_scrape(headers: dict[str, Any], status: int) -> None:
    assert Client().get("/metrics", **headers).status_code == status


def test_a_token_opens_the_metrics_from_anywhere(settings: Any) -> None:
    settings.METRICS_TOKEN = "a long token"
    remote: dict[str, Any] = {"REMOTE_ADDR": "10.0.0.1"}
    assert Client().get("/metrics", HTTP_AUTHORIZATION="Bearer a long token", **remote).status_code == 200
    assert Client().get("/metrics", HTTP_AUTHORIZATION="Bearer another", **remote).status_code == 403
    assert Client().get("/metrics", HTTP_AUTHORIZATION="Basic a long token", **remote).status_code == 403
    assert Client().get("/metrics?token=a+long+token", **remote).status_code == 403


def test_without_postgresql_the_other_metrics_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OperationalError("away")

    monkeypatch.setattr(metrics, "backlog", fail)
    assert "tributary_http_requests_total" in exposition().decode()


def test_the_format_is_prometheus() -> None:
    response = Client().get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    assert samples(response.content.decode())
