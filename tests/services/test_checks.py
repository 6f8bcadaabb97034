"""The services that cannot be used are named, with the way out."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from django.db import OperationalError, connection
from pytest_django.fixtures import Settings

from recsys.services import checks


@pytest.mark.django_db
def test_the_services_of_the_tests_are_fine() -> None:
    assert checks.check_services(databases=["default"]) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("minimum", "value", "id_"),
    [
        ("MINIMUM_POSTGRES", 990000, "services.E002"),
        ("MINIMUM_VECTOR", (99, 0), "services.E004"),
        ("MINIMUM_VALKEY", 99, "services.E006"),
    ],
)
def test_what_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch, minimum: str, value: Any, id_: str) -> None:
    monkeypatch.setattr(checks, minimum, value)
    assert [error.id for error in checks.check_services(databases=["default"])] == [id_]


def test_commands_that_need_no_database_ask_none() -> None:
    # Without the mark this test may not touch the database, and pytest-django would say so.
    assert checks.check_services() == []


def test_an_unreachable_valkey_is_named(settings: Settings) -> None:
    settings.REDIS_URL = "unix:///nonexistent/valkey.sock"
    [error] = checks.check_valkey()
    assert error.id == "services.E005"
    assert "/nonexistent/valkey.sock" in error.msg
    assert "REDIS_URL" in str(error.hint)


@pytest.mark.django_db
def test_only_failures_of_services_are_explained(settings: Settings) -> None:
    settings.REDIS_URL = "unix:///nonexistent/valkey.sock"
    assert checks.explain(ValueError("no service's fault")) is None
    assert "Valkey cannot be used" in str(checks.explain(redis.ConnectionError("gone")))


@pytest.mark.django_db
def test_an_error_with_healthy_services_is_left_alone() -> None:
    assert connection.is_usable()
    assert checks.explain(OperationalError("deadlock detected")) is None
