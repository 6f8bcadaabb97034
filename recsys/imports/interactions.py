"""Interactions from CSV or JSONL, and the staging table through which all formats bring them in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import connection

from recsys.events.inputs import check_event
from recsys.events.partitions import ensure_partitions
from recsys.imports.copying import copy_rows
from recsys.imports.formats import Format, Job
from recsys.imports.tables import Columns, Record, read_table
from recsys.inputs import FieldError, InputError
from recsys.outbox.capture import capture_off

COLUMNS = Columns(("user", "item", "kind", "occurred_at"), ("value", "region"))
Staged = tuple[int, str, str, str, float | None, datetime, str | None]

_STAGE = """
DROP TABLE IF EXISTS pg_temp.import_interaction, pg_temp.import_resolved;
CREATE TEMPORARY TABLE import_interaction (
    line bigint, user_name text, item_name text, kind text, value float8, occurred_at timestamptz, region text
) ON COMMIT DROP
"""
_RESOLVE = """
CREATE TEMPORARY TABLE import_resolved ON COMMIT DROP AS
SELECT s.*, u.id AS user_id, u.region AS user_region, i.id AS item_id
FROM import_interaction s
LEFT JOIN accounts_user u ON u.external_id = s.user_name
LEFT JOIN catalog_item i ON i.external_id = s.item_name
"""
_UNKNOWN = """
SELECT line, CASE WHEN user_id IS NULL THEN user_name END, CASE WHEN item_id IS NULL THEN item_name END
FROM import_resolved WHERE user_id IS NULL OR item_id IS NULL ORDER BY line
"""
# The same user doing the same thing with the same item at the same moment is the same interaction. Receipts would not
# do for history: they are kept for a bounded time only.
_MERGE = """
INSERT INTO events_interaction (occurred_at, user_id, item_id, kind, value, region)
SELECT DISTINCT ON (r.user_id, r.occurred_at, r.item_id, r.kind, r.value)
       r.occurred_at, r.user_id, r.item_id, r.kind, r.value, coalesce(r.region, r.user_region)
FROM import_resolved r
WHERE r.user_id IS NOT NULL AND r.item_id IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM events_interaction e
    WHERE e.user_id = r.user_id AND e.occurred_at = r.occurred_at AND e.item_id = r.item_id AND e.kind = r.kind
      AND e.value IS NOT DISTINCT FROM r.value)
ORDER BY r.user_id, r.occurred_at, r.item_id, r.kind, r.value, r.line
"""


class InteractionsFormat(Format):
    """What known users did with known items. Repeated ones are stored once."""

    wants = "a CSV or JSONL file of interactions: user, item, kind, occurred_at, …"
    tables = ("events_interaction", "events_itemheat")
    advice = "The counters are up to date. `manage.py train` lets the models learn from it now."

    def load(self, path: Path, job: Job) -> None:
        stage(_interactions(path, job))
        merge(path.name, job)


def _interactions(path: Path, job: Job) -> Iterator[Staged]:
    for record in read_table(path, COLUMNS, job.report, shown=job.shown):
        try:
            yield checked(record.line, record.data if record.is_json else _from_text(record))
        except InputError as error:
            job.report.reject_input(path.name, record.line, error)


def checked(line: int, data: Mapping[str, Any]) -> Staged:
    """The row for the staging table; InputError with all that is wrong with `data`, unknown names apart."""
    if data.get("occurred_at") in (None, ""):
        raise InputError([FieldError("occurred_at", "This must not be empty: a repetition would be new.")])
    # The names are looked up later, all in one join.
    event = check_event({"event_id": "-", **data}, users=_EVERY_NAME, items=_EVERY_NAME, history=True)
    assert event.occurred_at is not None
    return line, data["user"], data["item"], event.kind, event.value, event.occurred_at, event.region


class _EveryName(dict[str, int]):
    """Knows every name."""

    def __contains__(self, name: object) -> bool:
        return True


_EVERY_NAME = _EveryName()


def _from_text(record: Record) -> dict[str, Any]:
    """What a CSV row means: the value is a number, and a time may be in seconds since 1970."""
    data = dict(record.data)
    if "value" in data:
        data["value"] = as_number(data["value"])
    if data.get("occurred_at", "").isdecimal():
        data["occurred_at"] = moment(data["occurred_at"])
    return data


def as_number(text: str) -> float | str:
    """The number that `text` says, or `text` itself for the check to refuse."""
    try:
        return float(text)
    except ValueError:
        return text


def moment(seconds: str) -> datetime | str:
    """The time that `seconds` since 1970 says, or `seconds` itself for the check to refuse."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return seconds


def stage(rows: Iterable[Staged]) -> None:
    """Stream `rows` into the staging table, which lives as long as the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
    names = ("line", "user_name", "item_name", "kind", "value", "occurred_at", "region")
    copy_rows("import_interaction", names, rows)


def merge(file: str, job: Job) -> None:
    """Store what was staged and is not stored yet; rows with an unknown user or item are bad rows of `file`."""
    with connection.cursor() as cursor:
        cursor.execute(_RESOLVE)
        cursor.execute("ANALYZE import_resolved")
        cursor.execute(_UNKNOWN)
        for line, user, item in cursor:
            if user is not None:
                job.report.reject(file, line, f"There is no user “{user}”. Import the users first.", "user")
            if item is not None:
                job.report.reject(file, line, f"There is no item “{item}”. Import the items first.", "item")
        cursor.execute(
            "SELECT count(*), min(occurred_at), max(occurred_at) FROM import_resolved "
            "WHERE user_id IS NOT NULL AND item_id IS NOT NULL"
        )
        good, first, last = cursor.fetchone()
        if not good:
            return
        ensure_partitions(first, last)
        with capture_off():
            cursor.execute(_MERGE)
        job.report.tally("interactions").add(cursor.rowcount, 0, good - cursor.rowcount)
