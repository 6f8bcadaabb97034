"""The request id that follows a change from the request that made it into the log of the handler that acts on it.

    request ─▶ SET tributary.request_id ─▶ trigger inserts the row, the column's default reads the setting
            ─▶ relay ─▶ Celery ─▶ `bound_to(rows)` ─▶ every line the handler logs

The setting is written only where a request id is bound, before the first write of a transaction: one short round trip
for a request that writes, nothing for one that reads or for a process without requests. The default costs the trigger a
lookup in the server's table of settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import structlog
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import TransactionStatus

SETTING = "tributary.request_id"
IDS_IN_A_LINE = 20
_WRITE = re.compile(
    r"\s*(?:INSERT|UPDATE|DELETE|MERGE|WITH\b.*?\b(?:INSERT|UPDATE|DELETE|MERGE))\b", re.IGNORECASE | re.DOTALL
)


class Correlated(Protocol):
    """Anything with a request id, such as a leased row."""

    @property
    def request_id(self) -> str | None: ...


class _Tag:
    """Marks, in a transaction's list of commit hooks, that the setting holds `request_id` there.

    Django drops a savepoint's hooks when the savepoint is rolled back and all of them with the transaction, which is
    exactly when PostgreSQL drops a SET LOCAL.
    """

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id

    def __call__(self) -> None:
        pass


def tag_writes(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Execute wrapper: before a write, tell PostgreSQL the id of the request that this thread serves."""
    if isinstance(sql, str) and _WRITE.match(sql):
        _tag(context["connection"], str(structlog.contextvars.get_contextvars().get("request_id") or ""))
    return execute(sql, params, many, context)


def _tag(connection: BaseDatabaseWrapper, request_id: str) -> None:
    if request_id == _tagged_with(connection):
        return
    raw = connection.connection
    if raw.pgconn.transaction_status not in (TransactionStatus.IDLE, TransactionStatus.INTRANS):
        return  # broken or failed: the statement itself is about to say so
    local = connection.in_atomic_block
    # Past Django's cursor, so that it is neither counted nor logged as a query of the application's.
    with connection.wrap_database_errors:
        raw.execute("SELECT set_config(%s, %s, %s)", [SETTING, request_id, local])
    if local:
        connection.on_commit(_Tag(request_id))
    else:
        connection.tributary_request_id = request_id  # type: ignore[attr-defined]


def _tagged_with(connection: BaseDatabaseWrapper) -> str | None:
    """What the setting holds now: the transaction's own, else the session's; None where that is unknown."""
    for _, hook, *_ in reversed(connection.run_on_commit):
        if isinstance(hook, _Tag):
            return hook.request_id
    return getattr(connection, "tributary_request_id", "")


def follow_requests(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Receiver of `connection_created`: tag its writes. A new session has no setting, one from a pool may have any."""
    pooled = connection.settings_dict["OPTIONS"].get("pool")
    connection.tributary_request_id = None if pooled else ""  # type: ignore[attr-defined]
    if tag_writes not in connection.execute_wrappers:
        connection.execute_wrappers.append(tag_writes)


@contextmanager
def bound_to(rows: Iterable[Correlated]) -> Iterator[None]:
    """Bind the ids of `rows` to the log: `request_id` where they share one, else `request_ids` (the first 20)."""
    ids = list(dict.fromkeys(row.request_id for row in rows if row.request_id))
    if not ids:
        yield
        return
    bound: dict[str, Any] = {"request_id": ids[0]} if len(ids) == 1 else {"request_ids": ids[:IDS_IN_A_LINE]}
    with structlog.contextvars.bound_contextvars(**bound):
        yield
