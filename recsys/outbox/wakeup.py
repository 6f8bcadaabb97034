"""The commit nudge: a captured change committed through Django wakes a relay. A hint; the sweep is the truth.

It hangs on every connection, as an execute wrapper and on the cursor's COPY, so that no code has to think of it. Other
programs' changes pass it by and wait for the sweep (`relay.SWEEP`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

import redis
from django.apps import apps
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import Copy, Cursor
from psycopg.sql import Composable

from realtime.valkey import make_client
from recsys.outbox.keys import WAKE

PATIENCE = 0.2  # seconds that a writer waits for Valkey at most
PAUSE = 1.0  # seconds without nudges after one that failed, so that an outage costs writers next to nothing

_silent_until = 0.0


def nudge() -> None:
    """Wake one relay. Never raises: the change is committed, and the sweep will find it."""
    global _silent_until
    if time.monotonic() < _silent_until:
        return
    try:
        pipeline = _client(settings.REDIS_URL).pipeline(transaction=False)
        pipeline.lpush(WAKE.key(), 1)
        pipeline.ltrim(WAKE.key(), 0, 0)
        pipeline.expire(WAKE.key(), WAKE.ttl or 0)
        pipeline.execute()
    except redis.RedisError:
        _silent_until = time.monotonic() + PAUSE


@cache
def _client(url: str) -> redis.Redis:
    # redis-py's pool notices a fork by itself.
    return make_client(socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)


def nudge_after_writes(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Execute wrapper: after a write to a captured table, nudge once when the transaction commits."""
    result = execute(sql, params, many, context)
    _nudge_if_captured(context["connection"], sql)
    return result


def _nudge_if_captured(connection: BaseDatabaseWrapper, statement: Any) -> None:
    if _writes(_text(statement)) and not any(hook is nudge for _, hook, *_ in connection.run_on_commit):
        connection.on_commit(nudge, robust=True)


def _text(statement: Any) -> str:
    if isinstance(statement, str):
        return statement
    return statement.as_string(None) if isinstance(statement, Composable) else bytes(statement).decode()


def _writes(sql: str) -> bool:
    # Most statements are reads and are told by their first letters.
    return not sql.startswith(("SELECT", "SAVEPOINT", "RELEASE")) and _names_captured(sql)


@lru_cache(maxsize=500)
def _names_captured(sql: str) -> bool:
    """Looking through a long text takes a good part of the time of its query; those written by hand come again."""
    return _captured().search(sql) is not None


@cache
def _captured() -> re.Pattern[str]:
    """Matches a statement that writes to a table with capture triggers, or adds rows to the outbox itself.

    A model whose triggers stand in a migration of its own says so with `captured = True`.
    """
    tables = {
        model._meta.db_table
        for model in apps.get_models()
        if getattr(model, "captured", False)
        or any(trigger.name.startswith("capture_") for trigger in getattr(model._meta, "triggers", ()))
    }
    names = "|".join(sorted(map(re.escape, tables)))
    return re.compile(
        r"\b(?:(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO|COPY)\s+(?:ONLY\s+)?"
        rf'(?:"?public"?\.)?"?(?:{names})"?|INSERT\s+INTO\s+"?outbox"?)\b',
        re.IGNORECASE,
    )


def nudge_on_commit(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Receiver of `connection_created`."""
    if nudge_after_writes not in connection.execute_wrappers:
        connection.execute_wrappers.append(nudge_after_writes)
    # A connection from a pool has been here before.
    raw = connection.connection
    if not issubclass(raw.cursor_factory, _NudgesAfterCopy):
        attributes = {"alias": connection.alias}
        raw.cursor_factory = type("NudgingCursor", (_NudgesAfterCopy, raw.cursor_factory), attributes)


class _NudgesAfterCopy(Cursor[Any]):
    """Part of a connection's cursor class: COPY does not pass through Django, nor its execute wrappers."""

    alias: str

    @contextmanager
    def copy(self, statement: Any, *args: Any, **options: Any) -> Iterator[Copy]:
        with super().copy(statement, *args, **options) as copy:
            yield copy
        _nudge_if_captured(connections[self.alias], statement)
