"""What can be wrong with an import."""

from __future__ import annotations

from typing import NamedTuple


class ImportFileError(Exception):
    """The file as a whole cannot be imported; the message says what is wrong with it and what would be right."""


class ImportRefusedError(Exception):
    """Some rows are bad, so that none was imported. The report has them."""


class BadRow(NamedTuple):
    """One fault in a row: the file's name, the line where the row begins, the field ("": the whole row), and why."""

    file: str
    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: " + (f"{self.field}: " if self.field else "") + self.reason
