"""What every import format has in common, and how one is found by its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar, TypeVar

from django.conf import settings
from django.utils.module_loading import import_string

from recsys.imports.errors import ImportFileError
from recsys.imports.report import Report

T = TypeVar("T")


@dataclass
class Job:
    """One run of an import: where bad rows and counts go, and whether somebody watches a progress bar."""

    report: Report
    shown: bool = False


class Format(ABC):
    """A kind of file that can be imported.

    `load` reads the path and writes what it holds, within the caller's transaction. Bad rows go to the job's report,
    and the caller decides whether they undo the rest; ImportFileError is for a path that is wrong as a whole.
    """

    wants: ClassVar[str]
    """What the path must be, in one line."""
    tables: ClassVar[tuple[str, ...]]
    """What it writes to, for the planner's statistics."""
    advice: ClassVar[str] = ""
    """What to do after something was imported."""

    @abstractmethod
    def load(self, path: Path, job: Job) -> None: ...


def get_format(name: str) -> Format:
    """The format that `settings.IMPORT_FORMATS` has under `name`; ImportFileError names those that there are."""
    if name not in settings.IMPORT_FORMATS:
        raise ImportFileError("\n".join([f"There is no format “{name}”. There are:", *describe_formats()]))
    found: Format = import_string(settings.IMPORT_FORMATS[name])()
    return found


def describe_formats() -> list[str]:
    """One line for each format: its name and what it wants."""
    return [f"  {name:<13} {import_string(dotted).wants}" for name, dotted in settings.IMPORT_FORMATS.items()]


def chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """The rows in lists of at most `size`."""
    iterator = iter(rows)
    while chunk := list(islice(iterator, size)):
        yield chunk
