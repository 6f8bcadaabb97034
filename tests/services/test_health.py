from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from recsys.outbox.models import OutboxRow
from recsys.services import health, heartbeat
from recsys.services.health import CHECKS, TIMEOUT, Check, examine

PROCESSES = ("relay", "worker", "beat")


@pytest.fixture
def _running(valkey: Any) -> None:
    for process in PROCESSES:
        heartbeat.give_sign(process)


@pytest.fixture
def _examined_anew() -> Iterator[None]:
    health._migrated = False
    yield
    health._migrated = False


def ask() -> tuple[int, dict[str, Any]]:
    response = Client().get("/readyz")
    return response.status_code, response.json()["checks"]


def failing(checks: dict[str, Any]) -> set[str]:
    return {name for name, check in checks.items() if not check["ok"]}


def test_a_process_is_alive_whatever_is_lost(settings: Any) -> None:
    """Without the database mark, a query would fail this."""
    settings.REDIS_URL = "unix:///nonexistent?db=0"
    response = Client().get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_running", "_examined_anew")
def test_ready_when_everything_works() -> None:
    status, checks = ask()
    assert status == 200, checks
    assert set(checks) == {
        "database", "migrations", "valkey", "broker", "relay_lag", "relay", "worker", "beat",
    }  # fmt: skip
    assert all("hint" not in check and check["ms"] >= 0 for check in checks.values())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("missing", PROCESSES)
def test_a_missing_process_is_named_with_a_hint(missing: str) -> None:
    for process in set(PROCESSES) - {missing}:
        heartbeat.give_sign(process)
    status, checks = ask()
    assert status == 503
    assert failing(checks) == {missing}
    assert f"manage.py {missing}" in checks[missing]["hint"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_running")
def test_a_relay_that_falls_behind() -> None:
    waiting = timezone.now() - timedelta(minutes=5)
    OutboxRow.objects.create(
        aggregatetype="t", aggregateid="1", type="insert", created_at=waiting, leased_until=waiting
    )
    status, checks = ask()
    assert status == 503
    assert failing(checks) == {"relay_lag"}
    assert "300 s" in checks["relay_lag"]["detail"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_running", "_examined_anew")
def test_a_missing_migration() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'partners' RETURNING name, applied")
        applied = cursor.fetchall()
        try:
            status, checks = ask()
        finally:
            cursor.executemany(
                "INSERT INTO django_migrations (app, name, applied) VALUES ('partners', %s, %s)", applied
            )
    assert status == 503
    assert failing(checks) == {"migrations"}
    assert "manage.py migrate" in checks["migrations"]["hint"]


@pytest.mark.django_db(transaction=True)
def test_services_that_refuse_are_named_without_their_addresses(settings: Any) -> None:
    settings.REDIS_URL = "redis://wolfgang:hunter2@127.0.0.1:1/0"
    settings.CELERY_BROKER_URL = "amqp://wolfgang:hunter2@127.0.0.1:1//"
    started = time.monotonic()
    response = Client().get("/readyz")
    assert time.monotonic() - started < TIMEOUT + 1
    assert response.status_code == 503
    assert failing(response.json()["checks"]) >= {"valkey", "broker"}
    for secret in ("hunter2", "wolfgang", "127.0.0.1"):
        assert secret not in response.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_service_that_accepts_and_says_nothing_costs_a_bounded_time(settings: Any, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen(64)
        settings.REDIS_URL = f"unix://{tmp_path / 's'}?db=0"
        started = time.monotonic()
        status, checks = ask()
    assert time.monotonic() - started < TIMEOUT + 1
    assert status == 503
    assert "valkey" in failing(checks)


@pytest.mark.django_db(transaction=True)
def test_checks_that_hang_take_no_more_threads_with_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    hanging = [Check(check.name, lambda: str(release.wait(30)), check.hint) for check in CHECKS]
    monkeypatch.setattr(health, "CHECKS", tuple(hanging))
    monkeypatch.setattr(health, "TIMEOUT", 0.1)
    try:
        before = threading.active_count()
        for _ in range(3):
            assert all("no answer" in finding.detail for finding in examine())
        assert threading.active_count() <= before + len(CHECKS)
    finally:
        release.set()


@pytest.mark.django_db(transaction=True)
def test_an_error_that_nobody_foresaw_is_a_failed_check(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> str:
        raise RuntimeError("db.internal")

    monkeypatch.setattr(health, "CHECKS", (Check("valkey", fail, "hint"),))
    (finding,) = examine()
    assert (finding.ok, finding.detail, finding.hint) == (False, "does not answer", "hint")
    assert "db.internal" in caplog.text
