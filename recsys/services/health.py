"""Whether this installation can do its work: each dependency asked at the same time, within a bounded time."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache

import structlog
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from kombu.connection import Connection

from realtime.valkey import make_client
from recsys.outbox.selectors import relay_lag
from recsys.services.heartbeat import alive

TIMEOUT = 1.5  # seconds for all checks together
PATIENCE = 1.0  # seconds for one connection
MAX_LAG = 60.0  # seconds that a change may wait for the relay

logger = structlog.get_logger(__name__)


class NotReady(Exception):
    """A check that was answered, and not well. The message is shown to the world, so it names no address."""


@dataclass(frozen=True)
class Check:
    """What is asked, and what to do where it fails."""

    name: str
    ask: Callable[[], str]
    hint: str


@dataclass(frozen=True)
class Finding:
    """The answer to one check; `detail` is short and free of secrets."""

    name: str
    ok: bool
    detail: str
    hint: str
    ms: float


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 1000")
        cursor.execute("SELECT 1")
    return "answers"


def _migrations() -> str:
    missing = _missing_migrations()
    if missing:
        raise NotReady(f"{missing} not applied")
    return "applied"


def _missing_migrations() -> int:
    """How many migrations of this code the database lacks. Once there are none, there will be none for this process."""
    global _migrated
    if _migrated:
        return 0
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    _migrated = missing == 0
    return missing


_migrated = False


def _valkey() -> str:
    with make_client(socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE) as client:
        client.ping()
    return "answers"


def _broker() -> str:
    with Connection(
        settings.CELERY_BROKER_URL, connect_timeout=PATIENCE, transport_options={"socket_connect_timeout": PATIENCE}
    ) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=PATIENCE)
    return "answers"


def _relay_lag() -> str:
    lag = relay_lag()
    if lag > MAX_LAG:
        raise NotReady(f"the oldest change has waited for {lag:.0f} s; at most {MAX_LAG:.0f} s are normal")
    return f"{lag:.1f} s"


def _process(name: str) -> Callable[[], str]:
    def ask() -> str:
        running = len(alive(name))
        if not running:
            raise NotReady("no sign of life")
        return f"{running} running"

    return ask


CHECKS = (
    Check("database", _database, "Is PostgreSQL running, and is DATABASE_URL right?"),
    Check("migrations", _migrations, "Run: manage.py migrate"),
    Check("valkey", _valkey, "Is Valkey running, and is REDIS_URL right?"),
    Check("broker", _broker, "Is the broker running, and is CELERY_BROKER_URL right?"),
    Check("relay_lag", _relay_lag, "Is the relay running, are there enough workers? See the outbox in the admin."),
    Check("relay", _process("relay"), "Start it: manage.py relay"),
    Check("worker", _process("worker"), "Start it: manage.py worker"),
    Check("beat", _process("beat"), "Start it: manage.py beat"),
)


def examine() -> list[Finding]:
    """The finding of every check, within TIMEOUT seconds whatever hangs."""
    deadline = time.monotonic() + TIMEOUT
    # One round at a time: a service that hangs holds these threads, and not ever more of them.
    if not _round.acquire(timeout=TIMEOUT):
        return [Finding(check.name, False, "the last round of checks still waits", check.hint, 0.0) for check in CHECKS]
    try:
        asked = {check.name: _pool(os.getpid()).submit(_run, check) for check in CHECKS}
        wait(asked.values(), timeout=max(0.0, deadline - time.monotonic()))
        return [_finding(check, asked[check.name]) for check in CHECKS]
    finally:
        _round.release()


_round = threading.Lock()


@cache
def _pool(pid: int) -> ThreadPoolExecutor:
    """The threads of this process (a fork inherits none)."""
    return ThreadPoolExecutor(max_workers=len(CHECKS), thread_name_prefix="health")


def _finding(check: Check, asked: Future[Finding]) -> Finding:
    if asked.done() and not asked.cancelled():
        return asked.result()
    asked.cancel()
    return Finding(check.name, False, f"no answer within {TIMEOUT} s", check.hint, TIMEOUT * 1000)


def _run(check: Check) -> Finding:
    started = time.perf_counter()
    try:
        ok, detail = True, check.ask()
    except NotReady as error:
        ok, detail = False, str(error)
    except Exception as error:  # whatever a driver raises, the answer is that it does not work
        # The text may hold an address or a user's name: it is for the log, not for the world.
        logger.warning("check_failed", check=check.name, error=type(error).__name__, text=str(error))
        ok, detail = False, "does not answer"
    finally:
        connection.close()
    return Finding(check.name, ok, detail, "" if ok else check.hint, round((time.perf_counter() - started) * 1000, 1))
