from __future__ import annotations

import logging
import os
import random
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.test import Client

from tests.faults.realtime.network import SERVERS, Network, running_network
from tests.site import wait_for

logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each poll would bury what a failure says


@pytest.fixture(scope="package")
def _network(django_db_setup: None, open_directory: Callable[[], Path]) -> Iterator[Network]:
    database = django_settings.DATABASES["default"]
    env = {
        "DATABASE_URL": f"postgres://tributary@/{database['NAME']}?host={database['HOST']}",
        "SECRET_KEY": django_settings.SECRET_KEY,
    }
    with running_network(open_directory(), env) as network:
        for name in SERVERS:
            network.start(name)
        yield network


@pytest.fixture
def network(_network: Network, transactional_db: None, settings) -> Iterator[Network]:
    """A network that answers, on this test's database; what this process appends goes to its Valkey."""
    settings.REDIS_URL = _network.env["REDIS_URL"]
    settings.CELERY_BROKER_URL = _network.env["CELERY_BROKER_URL"]
    for name in SERVERS:
        if not _network.runs(name):
            _network.start(name)
        wait_for(partial(_network.answers, name), timeout=60, what=f"{name} answers")
    for log in _network.directory.glob("*.log"):
        os.truncate(log, 0)
    yield _network
    assert not _network.faults()


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """What a test leaves to chance. TRIBUTARY_CHAOS_SEED repeats it, as far as processes do."""
    seed = int(os.environ.get("TRIBUTARY_CHAOS_SEED") or secrets.randbelow(10**9))
    print(f"TRIBUTARY_CHAOS_SEED={seed}")  # noqa: T201 (shown where the test fails)
    return random.Random(seed)


@pytest.fixture
def log_in(transactional_db: None) -> Callable[[str], Client]:
    """Makes a logged-in browser of the user with this name."""

    def make(username: str) -> Client:
        client = Client()
        user, _ = get_user_model().objects.get_or_create(username=username)
        client.force_login(user, django_settings.AUTHENTICATION_BACKENDS[0])
        return client

    return make
