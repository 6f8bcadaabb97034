"""What an item may look like when it comes from outside, and the check that it does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.utils.dateparse import parse_datetime

from recsys.accounts.regions import normalise_region
from recsys.inputs import FieldError, InputError, text_fault

MAX_TAGS = 50
MAX_REGIONS = 50
MAX_ATTRIBUTE_BYTES = 10_000
MAX_ATTRIBUTE_DEPTH = 8


@dataclass(frozen=True)
class ItemInput:
    """An item as a partner or an import describes it: a complete description, so a field left out is empty again."""

    external_id: str
    title: str
    kind: str = "item"
    description: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    url: str = ""
    image_url: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    is_available: bool = True
    published_at: datetime | None = None  # None: leave it as it is, or now for a new item


def check_item(data: object) -> ItemInput:
    """Return what `data` (a JSON object, or a row of a file) describes; InputError names every fault in it."""
    if not isinstance(data, Mapping):
        raise InputError([FieldError("", "An item must be a JSON object with external_id and title.")])
    check = _ItemCheck(data)
    item = ItemInput(
        external_id=check.text("external_id", 128, required=True),
        title=check.text("title", 300, required=True),
        kind=check.text("kind", 32) or "item",
        description=check.text("description", 10_000),
        category=check.text("category", 100),
        tags=check.tags(),
        regions=check.regions(),
        url=check.url("url"),
        image_url=check.url("image_url"),
        attributes=check.attributes(),
        is_available=check.flag("is_available", default=True),
        published_at=check.moment("published_at"),
    )
    check.finish()
    return item


class _ItemCheck:
    """Reads fields out of one mapping and gathers what is wrong with them."""

    def __init__(self, data: Mapping[Any, Any]) -> None:
        self.data = data
        self.errors: list[FieldError] = []
        allowed = ItemInput.__dataclass_fields__
        for name in [name for name in data if name not in allowed][:20]:
            self.fault(_printable(name), f"There is no such field. The fields are: {', '.join(allowed)}.")

    def fault(self, name: str, message: str) -> None:
        self.errors.append(FieldError(name, message))

    def finish(self) -> None:
        if self.errors:
            raise InputError(self.errors)

    def text(self, name: str, longest: int, *, required: bool = False) -> str:
        value = self.data.get(name)
        if value is None and not required:
            return ""
        if message := text_fault("" if value is None else value, longest=longest, required=required):
            self.fault(name, message)
            return ""
        return str(value).strip()

    def tags(self) -> tuple[str, ...]:
        tags = self._texts("tags", longest=100, most=MAX_TAGS)
        return tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))

    def regions(self) -> tuple[str, ...]:
        codes: dict[str, None] = {}
        for region in self._texts("regions", longest=60, most=MAX_REGIONS):
            try:
                codes[normalise_region(region)] = None
            except ValueError as error:
                self.fault("regions", f"{_printable(region)}: {error}")
        codes.pop("", None)
        return tuple(codes)

    def _texts(self, name: str, *, longest: int, most: int) -> list[str]:
        value = self.data.get(name)
        if value is None:
            return []
        if not isinstance(value, list | tuple):
            self.fault(name, f"This must be a list of texts, not {type(value).__name__}.")
            return []
        if len(value) > most:
            self.fault(name, f"There are {len(value)}; at most {most} are allowed.")
            return []
        faults = [message for one in value if (message := text_fault(one, longest=longest))]
        for message in dict.fromkeys(faults):
            self.fault(name, message)
        return [] if faults else list(value)

    def url(self, name: str) -> str:
        url = self.text(name, 1000)
        try:
            parts = urlsplit(url)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and not any(map(str.isspace, url))
        except ValueError:
            fits = False
        if url and not fits:
            self.fault(name, "This must be a complete address that begins with http:// or https://.")
            return ""
        return url

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.data.get(name, default)
        if not isinstance(value, bool):
            self.fault(name, "This must be true or false.")
            return default
        return value

    def moment(self, name: str) -> datetime | None:
        value = self.data.get(name)
        if value is None:
            return None
        moment = check_moment(value)
        if moment is None:
            self.fault(name, "This must be a date and time such as 2026-01-31T12:00:00Z.")
        return moment

    def attributes(self) -> Mapping[str, Any]:
        value = self.data.get("attributes")
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.fault("attributes", f"This must be a JSON object, not {type(value).__name__}.")
            return {}
        if message := _json_fault(value):
            self.fault("attributes", message)
            return {}
        return dict(value)


def check_moment(value: object) -> datetime | None:
    """The moment that `value` (ISO 8601 text, or a datetime) names, in UTC if it has no zone; None if it names none."""
    try:
        moment = parse_datetime(value) if isinstance(value, str) else value
        if not isinstance(moment, datetime):
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _json_fault(value: object) -> str | None:
    """Say what is wrong with free-form JSON. Walks without recursion: deep input must not exhaust the stack."""
    waiting: list[tuple[object, int]] = [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        if depth > MAX_ATTRIBUTE_DEPTH:
            return f"This is nested more than {MAX_ATTRIBUTE_DEPTH} levels deep."
        if isinstance(one, Mapping):
            waiting += [(part, depth + 1) for pair in one.items() for part in pair]
        elif isinstance(one, list | tuple):
            waiting += [(part, depth + 1) for part in one]
        elif isinstance(one, str):
            if message := text_fault(one, longest=MAX_ATTRIBUTE_BYTES):
                return message
        elif not (one is None or isinstance(one, bool | int | float)):
            return f"This holds a {type(one).__name__}, which JSON does not know."
    try:
        size = len(json.dumps(value, allow_nan=False, default=dict))
    except (ValueError, TypeError):
        return "This must be finite numbers, texts, lists and objects with texts as names."
    return None if size <= MAX_ATTRIBUTE_BYTES else f"This has {size} bytes; at most {MAX_ATTRIBUTE_BYTES} are allowed."


def _printable(value: object) -> str:
    """A name or text from outside, short and safe to print in a message."""
    return str(value)[:40].encode("ascii", "backslashreplace").decode()
