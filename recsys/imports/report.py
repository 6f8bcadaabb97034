"""The account of an import: what was stored, and each row that could not be."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recsys.imports.errors import BadRow, ImportFileError
from recsys.inputs import InputError

SHOWN = 50  # bad rows that are kept for the terminal; a file gets all of them


@dataclass
class Tally:
    """How many rows of one kind were new, changed what was there, or were there already."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0

    def add(self, created: int, updated: int, unchanged: int) -> None:
        self.created += created
        self.updated += updated
        self.unchanged += unchanged

    def __str__(self) -> str:
        return f"{self.created:,} created, {self.updated:,} updated, {self.unchanged:,} unchanged"


@dataclass
class Report:
    """Gathers bad rows: all of them counted, the first ones kept, and each written to `file` if there is one."""

    file: Any = None
    bad_rows: int = 0
    faults: int = 0
    first: list[BadRow] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _last: tuple[str, int] | None = None

    def reject(self, file: str, line: int, reason: str, name: str = "") -> None:
        """Note one fault of the row at `line`. The faults of a row come one after the other."""
        row = BadRow(file, line, name, reason)
        self.faults += 1
        self.bad_rows += self._last != (file, line)
        self._last = (file, line)
        if len(self.first) < SHOWN:
            self.first.append(row)
        if self.file is not None:
            self.file.writerow(row)

    def reject_input(self, file: str, line: int, error: InputError) -> None:
        """Note every fault that a check found."""
        for name, message in error.errors:
            self.reject(file, line, message, name)

    def tally(self, kind: str) -> Tally:
        """The counts of `kind` ("items", …), to be added to."""
        return self.tallies.setdefault(kind, Tally())

    def note(self, text: str) -> None:
        """Say something that the person who imports should know."""
        self.notes.append(text)

    def bad_lines(self) -> list[str]:
        """What to print about the bad rows."""
        lines = [str(row) for row in self.first]
        if self.faults > len(self.first):
            lines.append(f"… and {self.faults - len(self.first):,} more; --report FILE writes them all.")
        return lines


@contextmanager
def report_to(path: Path | None) -> Iterator[Report]:
    """A report that writes all bad rows to `path` as CSV. ImportFileError where that cannot be written."""
    if path is None:
        yield Report()
        return
    try:
        stream = path.open("w", encoding="utf-8", newline="", errors="backslashreplace")
    except OSError as error:
        raise ImportFileError(f"The report cannot be written to {path}: {error.strerror}.") from error
    with stream:
        writer = csv.writer(stream)
        writer.writerow(BadRow._fields)
        yield Report(file=writer)
