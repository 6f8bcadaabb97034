"""The command, with little work: once on fresh services of its own, and else on services that all benches here share,
as starting some and migrating takes longer than so little work does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
import redis

from recsys.services.embedded import EmbeddedServices
from tests.site import ROOT


def manage(*arguments: str, env: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, env=env)


@pytest.fixture(scope="module")
def services(open_directory: Callable[[], Path]) -> Iterator[EmbeddedServices]:
    with EmbeddedServices(open_directory() / "data", durable=False) as services:
        done = manage("migrate", "--verbosity", "0", env=env_of(services, "tributary"))
        assert done.returncode == 0, done.stderr
        yield services


def env_of(services: EmbeddedServices, database: str) -> dict[str, str]:
    paths = services.paths
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "recsys.bench.settings",
        "TRIBUTARY_DATA_DIR": str(paths.data_dir),
        "DATABASE_URL": paths.postgres_url(database),
        "REDIS_URL": paths.redis_url,
        "CELERY_BROKER_URL": paths.broker_url,
    }


@pytest.fixture
def empty_services(services: EmbeddedServices, request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of a bench that has an empty Valkey and a database of its own."""
    name = f"bench_{request.node.callspec.params['name']}"
    with psycopg.connect(services.paths.postgres_url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE tributary")
    with redis.Redis.from_url(services.paths.redis_url) as valkey:
        valkey.flushall()
    return env_of(services, name)


# What stands before p50_ms and p99_ms in the details of each bench.
SPREADS = {
    "outbox": [],
    "delivery": ["", "n20_"],
    "sockets": ["", "bare_", "n2_", "n40_bare_"],
    "reconnect": ["restart_", "drop_"],
    "fanout": ["mixed_small_", "mixed_middle_", "mixed_large_"],
    "celebrity": ["write_1k_", "write_100k_", "write_1m_"],
}


# What a bench is told by the environment beside that. PostgreSQL counts what a connection did when that ends, and else
# after ten seconds, for which this bench would wait four times.
TOLD = {"reconnect": {"DATABASE_CONNECTION_AGE": "0"}}


def check(done: subprocess.CompletedProcess[str], name: str) -> None:
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    result = json.loads(line)
    assert result["bench"] == name
    assert result["value"] > 0
    assert result["details"]["runs"] == 1
    assert result["details"]["foreign_cpu"] >= 0
    if result["limit"] is not None:
        assert result["ratio"] == pytest.approx(result["value"] / result["limit"], rel=1e-2)
    for prefix in SPREADS[name]:
        assert result["details"][f"{prefix}p99_ms"] >= result["details"][f"{prefix}p50_ms"] > 0


@pytest.mark.flow
@pytest.mark.parametrize("name", sorted(SPREADS.keys() - {"outbox"}))
def test_a_bench_ends_with_one_line_of_json(name, empty_services):
    env = empty_services | TOLD.get(name, {})
    check(manage("bench", name, "--scale", "0.02", "--runs", "1", "--json", "--here", env=env), name)


@pytest.mark.flow
def test_so_does_one_on_fresh_services_of_its_own():
    check(manage("bench", "outbox", "--scale", "0.02", "--runs", "1", "--json"), "outbox")


@pytest.mark.parametrize(
    ("arguments", "words"), [(["nothing"], "invalid choice"), (["outbox", "--runs", "0"], "--runs is at least 1")]
)
def test_nonsense_is_refused_before_anything_starts(arguments, words):
    done = manage("bench", *arguments)
    assert done.returncode != 0
    assert words in done.stderr
