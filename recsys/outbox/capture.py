"""Change capture: statement-level triggers that write one outbox row for each changed row, in the same transaction.

Declared on the model (`Meta.triggers = capture(topic=…)`), so whoever changes the table, through the ORM, the admin,
a migration or raw SQL, is captured alike. A statement-level trigger with transition tables costs a bulk write one
INSERT … SELECT, where a row-level one would cost a function call a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pgtrigger
from django.db import connection

SWITCH = "tributary.capture"


def capture(
    *,
    topic: str,
    key: str = "id",
    payload: Sequence[str] = (),
    update_of: Sequence[str] = (),
    insert: bool = True,
    delete: bool = True,
) -> list[pgtrigger.Trigger]:
    """Triggers that capture a table under `topic`.

    `key` is the column that becomes `aggregateid`; `payload` are the columns that a handler cannot read again once the
    row is gone; an update is captured where one of the columns `update_of` really changed (none: rows are append-only).
    `insert=False` and `delete=False` leave those out.
    """
    triggers = []
    if insert:
        triggers.append(_trigger(topic, "insert", pgtrigger.Insert, "new_rows", key, payload))
    if delete:
        triggers.append(_trigger(topic, "delete", pgtrigger.Delete, "old_rows", key, payload))
    if update_of:
        triggers.append(_trigger(topic, "update", pgtrigger.Update, "new_rows", key, payload, changed=update_of))
    return triggers


def _trigger(
    topic: str,
    kind: str,
    operation: pgtrigger.Operation,
    rows: str,
    key: str,
    payload: Sequence[str],
    changed: Sequence[str] = (),
) -> pgtrigger.Trigger:
    pairs = ", ".join(f"'{column}', n.{column}" for column in payload)
    source = f"{rows} n"
    if changed:
        differs = " OR ".join(f"n.{column} IS DISTINCT FROM o.{column}" for column in changed)
        source = f"new_rows n JOIN old_rows o ON o.{key} = n.{key} AND ({differs})"
    referencing = {
        "insert": pgtrigger.Referencing(new="new_rows"),
        "delete": pgtrigger.Referencing(old="old_rows"),
        "update": pgtrigger.Referencing(old="old_rows", new="new_rows"),
    }[kind]
    # Names of tables and columns come from the models.
    return pgtrigger.Trigger(
        name=f"capture_{kind}",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=operation,
        referencing=referencing,
        func=f"""
            IF current_setting('{SWITCH}', true) = 'off' THEN RETURN NULL; END IF;
            INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
            SELECT '{topic}', n.{key}, '{kind}', jsonb_build_object({pairs}) FROM {source};
            RETURN NULL;
        """,  # noqa: S608
    )


@contextmanager
def capture_off() -> Iterator[None]:
    """Switch capture off until the end of the surrounding transaction: for imports of history, which nobody waits for.

    What the handlers would have built must then be rebuilt by the caller.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("capture_off() works within a transaction: put it inside transaction.atomic().")
    before = _set("off")
    yield
    _set(before)


_SET = """
    WITH before AS MATERIALIZED (SELECT current_setting(%(switch)s, true) AS state)
    SELECT state, set_config(%(switch)s, %(state)s, true) FROM before
"""


def _set(state: str) -> str:
    """Switch capture; return what it was, which may be off where one of these lies within another."""
    with connection.cursor() as cursor:
        cursor.execute(_SET, {"switch": SWITCH, "state": state})
        return cursor.fetchone()[0] or "on"
