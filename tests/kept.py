"""What many tests begin with, made once and then copied into the services, which costs a tenth of making it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db import connection, transaction

from realtime.valkey import get_client

T = TypeVar("T")

# What a migration puts into these, no test changes. Of a partitioned table the partitions hold the rows.
TABLES = """
    SELECT oid::regclass::text, coalesce(inhparent::regclass::text, ''), coalesce(pg_get_expr(relpartbound, oid), '')
    FROM pg_class LEFT JOIN pg_inherits ON inhrelid = oid
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
        AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
"""


@dataclass(frozen=True)
class Table:
    name: str
    before: str  # what to run before its rows are copied, and after
    after: str
    rows: bytes


class Kept(Generic[T]):
    """What `make` returns, and the rows and partitions that it leaves in a new database. Make it outside of tests.

    What it leaves in Valkey is kept where that `is_remembered`, and forgotten else.
    """

    def __init__(self, make: Callable[[], T], *, is_remembered: bool = False) -> None:
        get_client().flushdb()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(TABLES)
            old = {name: _has_rows(name) for name, _, _ in cursor.fetchall()}
            self._made = make()
            cursor.execute(TABLES)
            self._tables = []
            for name, parent, bound in cursor.fetchall():
                if not _has_rows(name):
                    continue
                before = after = ""
                if name not in old:
                    before = f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {parent} {bound}"
                    after = f"ANALYZE {name}"
                elif old[name]:
                    before = f"DELETE FROM {name}"
                with cursor.copy(f"COPY {name} TO STDOUT (FORMAT BINARY)") as rows:
                    self._tables.append(Table(name, before, after, b"".join(rows)))
            transaction.set_rollback(True)
        valkey = get_client()
        keys = valkey.keys() if is_remembered else []
        self._memory = [(key, max(0, valkey.pttl(key)), value) for key in keys if (value := valkey.dump(key))]

    def put_back(self) -> T:
        """Fill the new services of a test, and return a copy that is the test's own.

        The ids are free: rolling back does not turn sequences back.
        """
        with transaction.atomic(), connection.cursor() as cursor:
            for table in self._tables:
                if table.before:
                    cursor.execute(table.before)
            cursor.execute("SET LOCAL session_replication_role = replica")  # what triggers would make is there already
            for table in self._tables:
                with cursor.copy(f"COPY {table.name} FROM STDIN (FORMAT BINARY)") as into:
                    into.write(table.rows)
            cursor.execute("SET LOCAL session_replication_role = origin")
            for table in self._tables:
                if table.after:
                    cursor.execute(table.after)
        for key, milliseconds, value in self._memory:
            get_client().restore(key, milliseconds, value)
        return copy.deepcopy(self._made)


def _has_rows(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
        return bool(cursor.fetchone()[0])
