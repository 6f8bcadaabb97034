from __future__ import annotations

import pytest
from django.test import Client

from recsys.accounts.models import User
from recsys.outbox.models import OutboxRow
from tests.admin.conftest import allow, park

pytestmark = pytest.mark.django_db
LIST = "/admin/outbox/outboxrow/"


def act(client: Client, action: str, *rows: OutboxRow, **extra: object):
    return client.post(LIST, {"action": action, "_selected_action": [row.pk for row in rows], **extra}, follow=True)


def due(topic: str = "feeds.post") -> OutboxRow:
    return OutboxRow.objects.create(aggregatetype=topic, aggregateid="1", type="insert")


def shown(response) -> set:
    return {row.pk for row in response.context["cl"].result_list}


def test_the_backlog_stands_above_the_list(admin: Client):
    park("catalog.item")
    due()
    response = admin.get(LIST)
    assert response.context["backlog"] == {"catalog.item": {"parked": 1}, "feeds.post": {"due": 1}}
    assert "The oldest due row has waited" in response.content.decode()


def test_it_is_filtered_by_state_and_topic(admin: Client):
    parked, waiting = park("catalog.item"), due()
    assert shown(admin.get(LIST + "?state=parked")) == {parked.pk}
    assert shown(admin.get(LIST + "?state=due")) == {waiting.pk}
    assert shown(admin.get(LIST + "?state=leased")) == set()
    assert shown(admin.get(LIST + "?topic=feeds.post")) == {waiting.pk}
    assert shown(admin.get(LIST + "?topic=nonsense&state=nonsense")) == {parked.pk, waiting.pk}


def test_it_is_searched_by_error_and_id(admin: Client):
    broken, other = park(error="ValueError: broken"), park(error="KeyError: x")
    assert shown(admin.get(LIST + "?q=broken")) == {broken.pk}
    assert shown(admin.get(LIST + "?q=7")) == {broken.pk, other.pk}


def test_a_row_shows_its_error_and_payload_escaped(admin: Client):
    row = park(error="ValueError: <script>", payload={"text": "<b>&"})
    page = admin.get(f"{LIST}{row.pk}/change/").content.decode()
    assert "ValueError: &lt;script&gt;" in page
    assert "&lt;b&gt;" in page


def test_retry_makes_parked_rows_due(admin: Client):
    row = park()
    response = act(admin, "retry", row)
    row.refresh_from_db()
    assert (row.parked_at, row.attempts) == (None, 0)
    assert "1 row is due again." in response.content.decode()


def test_discard_asks_first(admin: Client):
    row, waiting = park(), due()
    response = act(admin, "discard", row, waiting)
    assert "1 parked row will be deleted for good" in " ".join(response.content.decode().split())
    assert OutboxRow.objects.count() == 2
    act(admin, "discard", row, waiting, confirmed="yes")
    assert list(OutboxRow.objects.all()) == [waiting]


def test_discard_of_all_pages_works_on_what_is_filtered(admin: Client):
    rows = [park("catalog.item") for _ in range(60)]
    kept = park("feeds.post")
    data = {"action": "discard", "_selected_action": [rows[0].pk], "select_across": "1"}
    confirmation = admin.post(LIST + "?topic=catalog.item", {**data, "index": "0"})
    assert confirmation.context["count"] == 60
    admin.post(LIST + "?topic=catalog.item", {**data, "confirmed": "yes"})
    assert list(OutboxRow.objects.all()) == [kept]


def test_rows_that_are_not_parked_are_left_alone(admin: Client):
    row = due()
    for action in ("retry", "discard"):
        assert "none of the selected rows is parked" in act(admin, action, row).content.decode().lower()
    assert OutboxRow.objects.get() == row


def test_who_may_only_look_changes_nothing(clerk_client: Client, clerk: User):
    row = park()
    allow(clerk, "outbox.view_outboxrow")
    act(clerk_client, "retry", row)
    act(clerk_client, "discard", row, confirmed="yes")
    row.refresh_from_db()
    assert row.parked_at is not None


def test_each_action_has_its_permission(clerk_client: Client, clerk: User):
    row = park()
    allow(clerk, "outbox.view_outboxrow", "outbox.change_outboxrow")
    act(clerk_client, "discard", row, confirmed="yes")
    assert OutboxRow.objects.exists()
    act(clerk_client, "retry", row)
    row.refresh_from_db()
    assert row.parked_at is None
