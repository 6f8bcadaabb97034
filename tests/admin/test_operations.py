from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from recsys.accounts.models import User
from recsys.outbox.models import OutboxRow
from recsys.recommend.models import ModelVersion
from recsys.services.operations import operations
from tests.admin.conftest import allow, park

pytestmark = pytest.mark.django_db


def panel(client: Client) -> dict[str, tuple[str, bool]]:
    response = client.get(reverse("admin:index"))
    return {figure.name: (figure.value, figure.alarm) for figure in response.context["panel"]}


def test_it_says_how_it_is_going(admin: Client):
    OutboxRow.objects.all().delete()
    OutboxRow.objects.create(aggregatetype="feeds.post", aggregateid="1", type="insert")
    park()
    figures = panel(admin)
    assert figures["Changes waiting or being handled"] == ("1", False)
    assert figures["Parked after failing"] == ("1", True)
    assert figures["Serving models"] == ("none yet", True)
    ModelVersion.objects.create(pk=7, kind="cf", status="serving")
    assert panel(admin)["Serving models"] == ("cf 7", False)


def test_a_relay_that_stands_still_is_an_alarm(admin: Client):
    OutboxRow.objects.all().delete()
    row = OutboxRow.objects.create(aggregatetype="feeds.post", aggregateid="1", type="insert")
    with connection.cursor() as cursor:
        ago = "now() - interval '2 minutes'"
        cursor.execute(f"UPDATE outbox SET leased_until = {ago}, created_at = {ago} WHERE id = %s", [row.pk])
    value, alarm = panel(admin)["Relay lag"]
    assert alarm
    assert float(value.removesuffix(" s")) >= 120


def test_sizes_are_estimates_that_read_no_rows(admin: Client):
    User.objects.bulk_create(User(username=f"user{n}") for n in range(50))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE accounts_user")
    assert panel(admin)["Users, about"] == ("51", False)


def test_each_figure_is_for_those_who_may_see_where_it_comes_from(clerk_client: Client, clerk: User):
    assert panel(clerk_client) == {}
    allow(clerk, "catalog.view_item")
    assert set(panel(clerk_client)) == {"Items, about"}


def test_every_figure_leads_to_a_page(admin: Client, boss: User):
    figures = operations(boss)
    assert len(figures) == 9
    for figure in figures:
        assert admin.get(figure.url).status_code == 200
