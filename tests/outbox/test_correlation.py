from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import structlog
from django.db import connection, transaction
from django.test import Client

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.outbox.correlation import bound_to
from recsys.outbox.handlers import Row, execute
from recsys.outbox.models import OutboxRow
from recsys.outbox.relay import lease


class Abandoned(Exception):
    """What makes a transaction of these tests roll back."""


def abandon_an_item() -> None:
    with transaction.atomic():
        Item.objects.create(title="Gone")
        raise Abandoned


def recorded() -> list[str | None]:
    return list(OutboxRow.objects.order_by("created_at", "id").values_list("request_id", flat=True))


@pytest.mark.django_db
def test_a_change_outside_any_request_has_no_request_id() -> None:
    Item.objects.create(title="Heat")
    assert recorded() == [None]


@pytest.mark.django_db
def test_a_captured_change_carries_the_id_of_the_request_that_made_it() -> None:
    with structlog.contextvars.bound_contextvars(request_id="first"):
        Item.objects.create(title="Heat")
    with structlog.contextvars.bound_contextvars(request_id="second"):
        Item.objects.filter(title="Heat").update(title="Ronin")
    assert sorted(map(str, recorded())) == ["first", "second"]


@pytest.mark.django_db
def test_the_id_survives_the_rollback_of_the_savepoint_that_set_it() -> None:
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        with pytest.raises(Abandoned):
            abandon_an_item()
        Item.objects.create(title="Heat")
    assert recorded() == ["abc"]


@pytest.mark.django_db(transaction=True)
def test_autocommit_writes_of_one_connection_keep_their_requests_apart() -> None:
    for request_id in ("one", "two"):
        with structlog.contextvars.bound_contextvars(request_id=request_id), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO catalog_item (kind, title, description, category, tags, regions, url, image_url,"
                " attributes, is_available) VALUES ('x', %s, '', '', '{}', '{}', '', '', '{}', true)",
                [request_id],
            )
    Item.objects.create(title="nobody's")
    assert sorted(map(str, recorded())) == ["None", "one", "two"]


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_request_leaves_nothing_on_its_connection() -> None:
    with structlog.contextvars.bound_contextvars(request_id="abc"), pytest.raises(Abandoned):
        abandon_an_item()
    Item.objects.create(title="Heat")
    with structlog.contextvars.bound_contextvars(request_id="abc"), transaction.atomic():
        Item.objects.create(title="Ronin")
    assert sorted(map(str, recorded())) == ["None", "abc"]


@pytest.mark.django_db
def test_reading_costs_no_round_trip() -> None:
    with structlog.contextvars.bound_contextvars(request_id="reader"):
        assert not Item.objects.exists()
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('tributary.request_id', true)")
            assert cursor.fetchone()[0] in (None, "")


def bindings(*ids: str | None) -> dict[str, object]:
    with bound_to([SimpleNamespace(request_id=request_id) for request_id in ids]):
        return dict(structlog.contextvars.get_contextvars())


def test_rows_of_one_request_bind_its_id() -> None:
    assert bindings("a", None, "a") == {"request_id": "a"}


def test_rows_of_several_requests_bind_a_bounded_list() -> None:
    assert bindings("a", "b") == {"request_ids": ["a", "b"]}
    assert len(bindings(*map(str, range(100)))["request_ids"]) == 20  # type: ignore[arg-type]


def test_rows_without_a_request_bind_nothing() -> None:
    assert bindings(None) == {}


@pytest.mark.django_db
def test_the_id_of_a_request_is_in_the_log_of_the_handler_that_acts_on_its_change(
    drain_outbox: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    """From the header of a browser's request to what a worker logs, a message through the broker included."""
    User.objects.create_user("ana", password="secret")
    item = Item.objects.create(title="Heat")
    drain_outbox()
    browser = Client()
    browser.force_login(User.objects.get())
    body = {"event_id": "1", "item": item.pk, "kind": "like"}
    response = browser.post(
        "/events/", body, content_type="application/json", headers={"X-Request-ID": "from-the-browser"}
    )
    assert response.status_code < 300, response.content
    assert "request_id" not in structlog.contextvars.get_contextvars()
    caplog.clear()
    rows = [Row.from_message(row.topic, row.to_message()) for row in lease(limit=10)]
    assert {row.request_id for row in rows} == {"from-the-browser"}
    execute("events.interaction", rows)
    handled = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert [(line["event"], line["topic"], line["request_id"]) for line in handled] == [
        ("outbox_handled", "events.interaction", "from-the-browser")
    ]
