from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from feeds.keys import HOME
from recsys.accounts.models import User
from recsys.services import memory
from recsys.services.operations import operations
from tests.admin.conftest import allow

pytestmark = pytest.mark.django_db
AWAY = "redis://wolfgang:hunter2@127.0.0.1:1/0"


def words(client: Client, status: int = 200) -> str:
    """The text of the page."""
    response = client.get(reverse("admin:memory"))
    assert response.status_code == status
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def add_window(valkey, reader: int, members: int = 3) -> None:
    valkey.zadd(HOME.key(reader=reader), {str(10**12 + n): n for n in range(members)})


def test_the_page_shows_features_and_their_keys(admin: Client, valkey):
    for reader in range(12):
        add_window(valkey, reader)
    valkey.set("<b>left:over", "x")
    page = words(admin)
    for text in ("timeline:home:{reader}", "listpack", "All 13 keys were counted", "604,800&nbsp;s"):
        assert text in page
    assert "&lt;b&gt;left:over" in page
    assert "too large" not in page
    assert "about" not in page.partition("By feature")[2]


def test_the_page_says_when_it_estimates(admin: Client, valkey, monkeypatch):
    monkeypatch.setattr(memory, "WALK_TIME", -1.0)
    monkeypatch.setattr(memory, "WALKED_PART", 50)
    for reader in range(1000):
        add_window(valkey, reader)
    page = words(admin)
    assert re.search(r"estimated from a sample of \d+ of 1,000 keys", page)
    assert "about" in page.partition("By feature")[2]


def test_a_window_beyond_its_bytes_is_an_alarm_with_its_mending(admin: Client, boss: User, valkey):
    add_window(valkey, 1)
    assert not figure(boss).alarm
    before = valkey.config_get("zset-max-listpack-entries")
    valkey.config_set("zset-max-listpack-entries", 128)
    try:
        add_window(valkey, 2, members=801)
        assert figure(boss).alarm
        page = words(admin)
    finally:
        valkey.config_set("zset-max-listpack-entries", before["zset-max-listpack-entries"])
    assert "zset-max-listpack-entries 1024" in page
    assert "too large" in page


def test_the_panel_shows_the_total(admin: Client, boss: User):
    value = figure(boss).value
    assert re.fullmatch(r"[\d.]+\s[KMG]B", value), value
    assert value in admin.get(reverse("admin:index")).content.decode()


def test_valkey_away_is_said_and_no_address_with_it(admin: Client, boss: User, settings):
    settings.REDIS_URL = AWAY
    page = words(admin, status=503)
    assert "Valkey does not answer" in page
    assert "hunter2" not in page
    assert "127.0.0.1" not in page
    assert (figure(boss).value, figure(boss).alarm) == ("does not answer", True)
    assert admin.get(reverse("admin:index")).status_code == 200


def test_a_broker_away_is_said(admin: Client, settings):
    settings.CELERY_BROKER_URL = AWAY
    page = words(admin)
    assert "broker's database does not answer" in page.replace("&#x27;", "'")
    assert "hunter2" not in page


def test_it_is_for_staff_who_look_after_the_outbox(clerk_client: Client, clerk: User, client: Client):
    assert client.get(reverse("admin:memory")).status_code == 302
    words(clerk_client, status=403)
    assert not any(figure.name == "Memory of Valkey" for figure in operations(clerk))
    allow(clerk, "outbox.view_outboxrow")
    words(clerk_client)
    clerk = User.objects.get(pk=clerk.pk)
    assert any(figure.name == "Memory of Valkey" for figure in operations(clerk))
    client.force_login(User.objects.create(username="reader"))
    assert client.get(reverse("admin:memory")).status_code == 302, "not staff"


def test_it_is_only_for_reading(admin: Client):
    assert admin.post(reverse("admin:memory")).status_code == 405


def figure(user: User):
    return next(figure for figure in operations(user) if figure.name == "Memory of Valkey")
