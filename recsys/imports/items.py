"""Items from CSV or JSONL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from recsys.catalog.actions import IS_POST, ItemInput, check_item, do_upsert_items
from recsys.catalog.selectors import names_of_posts
from recsys.imports.formats import Format, Job, chunks
from recsys.imports.tables import Columns, Record, read_table
from recsys.inputs import FieldError, InputError

CHUNK = 5000
COLUMNS = Columns(
    ("external_id", "title"),
    (
        "kind", "description", "category", "tags", "regions", "url", "image_url", "attributes", "is_available",
        "published_at",
    ),
)  # fmt: skip
Numbered = tuple[int, ItemInput]
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class ItemsFormat(Format):
    """Items by `external_id`: new ones are created, known ones become what the row says."""

    wants = "a CSV or JSONL file of items: external_id, title, …"
    tables = ("catalog_item",)
    advice = "Workers place new items in the content space by themselves; `manage.py train` learns the words anew."

    def load(self, path: Path, job: Job) -> None:
        store_items(self._items(path, job), path.name, job)

    def _items(self, path: Path, job: Job) -> Iterator[Numbered]:
        lines: dict[str, int] = {}
        for record in read_table(path, COLUMNS, job.report, shown=job.shown):
            try:
                item = check_item(record.data if record.is_json else _from_text(record))
            except InputError as error:
                job.report.reject_input(path.name, record.line, error)
                continue
            if item.external_id in lines:
                reason = f"“{item.external_id}” is on line {lines[item.external_id]} already; an item may come once."
                job.report.reject(path.name, record.line, reason, "external_id")
                continue
            lines[item.external_id] = record.line
            yield record.line, item


def store_items(items: Iterable[Numbered], file: str, job: Job, field: str = "external_id") -> None:
    """Create or update these items (with the lines that they come from), and count them.

    One that has the name of a post is a bad row; `field` is what the file calls the name.
    """
    for chunk in chunks(items, CHUNK):
        posts = names_of_posts(item.external_id for _, item in chunk)
        for line, item in chunk:
            if item.external_id in posts:
                job.report.reject(file, line, IS_POST, field)
        result = do_upsert_items(rows=[item for _, item in chunk if item.external_id not in posts])
        job.report.tally("items").add(result.created, result.updated, result.unchanged)


def _from_text(record: Record) -> dict[str, Any]:
    """What a CSV row means: lists are separated by |, attributes are JSON. InputError where they are not."""
    data = dict(record.data)
    errors = []
    for name in ("tags", "regions"):
        if name in data:
            data[name] = [part for part in data[name].split("|") if part.strip()]
    if "is_available" in data:
        data["is_available"] = _FLAGS.get(data["is_available"].strip().lower(), data["is_available"])
    if "attributes" in data:
        try:
            data["attributes"] = json.loads(data["attributes"])
        except (ValueError, RecursionError):
            errors.append(FieldError("attributes", 'This must be a JSON object such as {"year": 1995}.'))
    if errors:
        raise InputError(errors)
    return data
