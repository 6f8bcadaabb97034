"""Reads that PostgreSQL prepares once for each connection: for queries that take longer to plan than to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection
from psycopg import Cursor


def read_prepared(sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a query. Its text must be the same each time: what changes goes into `parameters`.

    Where connections are not kept, as behind PgBouncer, nothing is prepared.
    """
    with _cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def array_of(ids: Sequence[int]) -> str:
    """Ids as the text of an array, for a parameter that is cast to `bigint[]`.

    As a list, psycopg would ask for each of them how it is written: 1 ms for a thousand instead of 0.05.
    """
    return f"{{{str(list(ids))[1:-1]}}}"


def _cursor() -> Any:
    connection.ensure_connection()
    raw = connection.connection
    # Django forbids it for all; its own cursors write their parameters into the text anyhow, and prepare nothing.
    raw.prepare_threshold = 0 if connection.settings_dict["CONN_MAX_AGE"] else None
    # Django's own wrapping, so that these queries are counted, logged and marked like all others.
    return connection._prepare_cursor(Cursor(raw))  # type: ignore[attr-defined]
