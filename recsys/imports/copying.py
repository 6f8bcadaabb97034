"""COPY into a table, with a progress bar: the fastest way in, at any number of rows in little memory."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from psycopg import sql
from tqdm import tqdm


def progress_bar(label: str, *, total: int | None = None, unit: str = " rows", shown: bool = True) -> tqdm[Any]:
    """A bar on standard error, which a log of it survives too: few updates, and none where not `shown`."""
    return tqdm(
        desc=f"{label:<14}",
        total=total,
        unit=unit,
        unit_scale=True,
        file=sys.stderr,
        disable=not shown,
        mininterval=0.3,
    )


def copy_rows(
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    label: str = "",
    total: int | None = None,
    shown: bool = False,
) -> int:
    """Stream `rows` into `columns` of `table` and return how many there were."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    count = 0
    with progress_bar(label, total=total, shown=shown) as bar, connection.cursor() as cursor:
        # Through Django's wrapper to psycopg's own cursor, which alone knows COPY.
        with cursor.cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
                count += 1
                if count % 1000 == 0:
                    bar.update(1000)
        bar.update(count % 1000)
    return count


def reserve_ids(table: str, count: int, column: str = "id") -> int:
    """Take `count` consecutive ids from the sequence of `table` and return the first of them.

    Nobody else can be given one of them: the sequence stands behind them, and behind every id that is in the table.
    """
    name = sql.Identifier(table)
    with connection.cursor() as cursor:
        # Nobody inserts meanwhile, so that no id between the two steps can be given away.
        cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(name))
        cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, %s))", [table, column])
        first = int(cursor.fetchone()[0])
        cursor.execute(sql.SQL("SELECT coalesce(max({}), 0) FROM {}").format(sql.Identifier(column), name))
        first = max(first, int(cursor.fetchone()[0]) + 1)
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence(%s, %s), %s, %s)",
            [table, column, first + max(count, 1) - 1, count > 0],
        )
    return first


def analyze(*tables: str) -> None:
    """Tell the planner about what was loaded."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))
