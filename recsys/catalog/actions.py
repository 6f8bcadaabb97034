"""Writes to the catalogue."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from recsys.catalog.inputs import ItemInput, check_item
from recsys.catalog.models import Item
from recsys.catalog.selectors import names_of_posts
from recsys.inputs import FieldError, InputError

__all__ = ["ItemInput", "UpsertResult", "check_item", "do_delete_item", "do_set_availability", "do_upsert_items"]

CHUNK = 5000
IS_POST = "This is the name of a post, which only its author changes; choose another name for the item."

_FIELDS = (
    "kind", "title", "description", "category", "tags", "regions", "url", "image_url", "attributes", "is_available",
    "published_at",
)  # fmt: skip

# Rows are taken in the order of external_id, so that two batches cannot deadlock. The WHERE keeps an unchanged row
# from being written and thus from being captured; xmax is 0 in a row that this statement inserted.
_UPSERT = f"""
WITH sent AS (
    SELECT s.external_id, s.kind, s.title, s.description, s.category, s.tags, s.regions, s.url, s.image_url,
           s.attributes, s.is_available, coalesce(s.published_at, old.published_at, now()) AS published_at
    FROM jsonb_to_recordset(%s::jsonb) AS s (
        external_id text, kind text, title text, description text, category text, tags text[], regions text[],
        url text, image_url text, attributes jsonb, is_available boolean, published_at timestamptz)
    LEFT JOIN catalog_item old USING (external_id)
)
INSERT INTO catalog_item AS item (external_id, {", ".join(_FIELDS)})
SELECT external_id, {", ".join(_FIELDS)} FROM sent ORDER BY external_id
ON CONFLICT (external_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _FIELDS)}, updated_at = now()
WHERE ({", ".join(f"item.{name}" for name in _FIELDS)})
    IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in _FIELDS)})
RETURNING xmax = 0
"""  # noqa: S608


@dataclass(frozen=True)
class UpsertResult:
    """How many rows of a batch were new, differed from what was stored, or were the same already."""

    created: int
    updated: int
    unchanged: int


def do_upsert_items(*, rows: Sequence[ItemInput]) -> UpsertResult:
    """Create or replace items by `external_id`, all or none. Of rows with the same id, the last one counts.

    Repeating it changes nothing and captures nothing. InputError names rows whose id is that of a
    post: all of them, of the first CHUNK rows that have one.
    """
    latest = list({row.external_id: row for row in rows}.values())
    created = written = 0
    with transaction.atomic(), connection.cursor() as cursor:
        for start in range(0, len(latest), CHUNK):
            chunk = [asdict(row) for row in latest[start : start + CHUNK]]
            cursor.execute(_UPSERT, [json.dumps(chunk, default=lambda moment: moment.isoformat())])
            inserted = [row[0] for row in cursor.fetchall()]
            # Asked afterwards, so that a post of a moment ago is found too; the transaction undoes what was written.
            _refuse_posts(rows, names_of_posts(row["external_id"] for row in chunk))
            created += sum(inserted)
            written += len(inserted)
    return UpsertResult(created=created, updated=written - created, unchanged=len(rows) - written)


def _refuse_posts(rows: Sequence[ItemInput], posts: Collection[str]) -> None:
    """InputError for the rows that would overwrite what somebody wrote."""
    faults = [
        FieldError(f"[{index}].external_id", IS_POST) for index, row in enumerate(rows) if row.external_id in posts
    ]
    if faults:
        raise InputError(faults)


def do_set_availability(*, items: QuerySet[Item], is_available: bool) -> int:
    """Let recommendations show `items`, or not; return how many that changed."""
    return items.exclude(is_available=is_available).update(is_available=is_available, updated_at=timezone.now())


def do_delete_item(*, item: Item) -> None:
    """Delete `item` with its vectors, counters and everything that users did with it. Gone already is success."""
    with transaction.atomic():
        Item.objects.filter(pk=item.pk).delete()
