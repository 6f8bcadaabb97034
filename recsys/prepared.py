"""Reads that PostgreSQL prepares once for each connection: for queries that take longer to plan than to run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from types import SimpleNamespace
from typing import Any, Self

from django.db import connection
from psycopg import RawCursor

Value = int | str | datetime | Sequence[int]
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def read_prepared(sql: str, parameters: Mapping[str, Value]) -> list[tuple[Any, ...]]:
    """The rows of a query. Its text must be the same each time: what changes goes into `parameters`, whose types
    PostgreSQL must be able to tell from where they stand (a cast, a column beside them).

    Where connections are not kept, as behind PgBouncer, nothing is prepared.
    """
    numbered, names = _numbered(sql)
    with _cursor() as cursor:
        cursor.execute(numbered, [_text_of(parameters[name]) for name in names])
        return cursor.fetchall()


@cache
def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """The query with $1, $2… for its placeholders, and what these are called in this order.

    psycopg would take texts as long as these apart anew at each execution.
    """
    names = tuple(dict.fromkeys(_PLACEHOLDER.findall(sql)))
    return _PLACEHOLDER.sub(lambda found: f"${names.index(found[1]) + 1}", sql).replace("%%", "%"), names


def _text_of(value: Value) -> str:
    """Without a type of its own: as numbers, small and large ones would be of two, and the query prepared for each."""
    return str(value) if isinstance(value, (str, int, datetime)) else _array_of(value)


def _array_of(ids: Sequence[int]) -> str:
    """As a list, psycopg would ask for each of them how it is written: 1 ms for a thousand instead of 0.05."""
    return f"{{{str(list(ids))[1:-1]}}}"


class _Cursor(RawCursor[Any]):
    """Tells Django, which asks after each query of a debugged connection, what it has run."""

    def execute(self, query: Any, *arguments: Any, **options: Any) -> Self:
        super().execute(query, *arguments, **options)
        self._query = SimpleNamespace(query=query.encode())  # type: ignore[assignment]
        return self


def _cursor() -> Any:
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    raw = connection.connection
    # Django forbids it for all; its own cursors write their parameters into the text anyhow, and prepare nothing.
    raw.prepare_threshold = 0 if connection.settings_dict["CONN_MAX_AGE"] else None
    # Django's own wrapping, so that these queries are counted, logged and marked like all others.
    return connection._prepare_cursor(_Cursor(raw))  # type: ignore[attr-defined]
