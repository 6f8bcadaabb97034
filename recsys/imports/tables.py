"""Records out of lines: CSV with a header, or JSONL, whichever the file turns out to be."""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from recsys.imports.errors import ImportFileError
from recsys.imports.files import Lines, open_lines
from recsys.imports.report import Report

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}


class Record(NamedTuple):
    """A row: the line on which it begins and its fields. From CSV all are text and empty ones are left out."""

    line: int
    data: dict[str, Any]
    is_json: bool = False


class Columns(NamedTuple):
    """The names that a table must have, and those that it may have."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return self.required + self.optional

    def __str__(self) -> str:
        extra = f", and may hold {', '.join(self.optional)}" if self.optional else ""
        return ", ".join(self.required) + extra


def read_table(path: Path, columns: Columns, report: Report, *, shown: bool = False) -> Iterator[Record]:
    """The records of `path`, CSV or JSONL. Bad rows go to `report`; ImportFileError where the whole is wrong."""
    with open_lines(path, shown=shown) as lines:
        text = iter(lines)
        first = next((line for line in text if line.strip()), None)
        if first is None:
            raise ImportFileError(f"{path} holds nothing but empty lines.")
        if first.lstrip().startswith("["):
            raise ImportFileError(
                f"{path} begins with a JSON list. JSONL is wanted, one object a line (jq -c '.[]' makes it)."
            )
        reader = _read_json if first.lstrip().startswith("{") else _read_csv
        empty = True
        for record in reader(first, text, lines, columns, report):
            empty = False
            yield record
        if empty and not report.bad_rows:
            raise ImportFileError(f"{path} has a header and no rows.")


def _read_json(first: str, text: Iterator[str], lines: Lines, columns: Columns, report: Report) -> Iterator[Record]:
    for line in chain([first], text):
        if fault := lines.faults.pop(lines.number, None):
            report.reject(lines.path.name, lines.number, fault)
        elif line.strip():
            try:
                data = json.loads(line, parse_constant=_refuse_constant)
            except (ValueError, RecursionError) as error:
                reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                where = f" at position {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
                report.reject(lines.path.name, lines.number, f"This is not JSON: {reason}{where}.")
                continue
            if isinstance(data, dict):
                yield Record(lines.number, data, True)
            else:
                report.reject(lines.path.name, lines.number, "This must be a JSON object, one a line.")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _read_csv(first: str, text: Iterator[str], lines: Lines, columns: Columns, report: Report) -> Iterator[Record]:
    file = lines.path.name
    if fault := lines.faults.pop(lines.number, None):
        raise ImportFileError(f"{lines.path}, line {lines.number}: {fault} The header of a table was expected here.")
    header, separator = _header(lines.path, first, columns)
    before = lines.number
    # Each line gets its end back: a quoted field may go over several.
    rows = csv.reader((line + "\n" for line in text), delimiter=separator, strict=True)
    while True:
        begin = before + rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            end = lines.number
            upto = f" (it goes on to line {end})" if end > begin else ""
            report.reject(file, begin, f"This is not CSV: {error}{upto}. Check its quotation marks.")
            _forget(lines)
            continue
        if faults := _forget(lines):
            report.reject(file, begin, faults[0])
        elif len(row) not in (0, len(header)):
            report.reject(file, begin, f"There are {len(row)} fields, and the header names {len(header)}.")
        elif row and any(row):
            yield Record(begin, {name: value for name, value in zip(header, row, strict=True) if value != ""})


def _forget(lines: Lines) -> list[str]:
    """The faults of the lines read since the last record."""
    faults = list(lines.faults.values())
    lines.faults.clear()
    return faults


def _header(path: Path, line: str, columns: Columns) -> tuple[list[str], str]:
    """The names in the header and what separates them; ImportFileError where they are not as they must be."""
    separator = max(SEPARATORS, key=line.count)
    try:
        names = [name.strip() for name in next(csv.reader([line], delimiter=separator, strict=True))]
    except csv.Error as error:
        raise ImportFileError(f"The first line of {path} must be a header, and is not CSV: {error}.") from error
    known = {name.lower(): name for name in columns.all}
    header = [known.get(name.lower(), name) for name in names]
    wanted = f"A header must name {columns}."
    if not set(header) & set(columns.all):
        raise ImportFileError(f"The first line of {path} is no header of this format: “{line[:80]}”. {wanted}")
    if missing := [name for name in columns.required if name not in header]:
        raise ImportFileError(f"The header of {path} lacks {_listed(missing)}. {wanted}")
    if unknown := [name for name in header if name not in columns.all]:
        hint = "".join(_suggestion(name, columns.all) for name in unknown)
        raise ImportFileError(
            f"The header of {path} names {_listed(unknown)}, which this format does not know.{hint} {wanted}"
        )
    if repeated := sorted({name for name in header if header.count(name) > 1}):
        raise ImportFileError(f"The header of {path} names {_listed(repeated)} more than once.")
    return header, separator


def _suggestion(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name.lower(), known, 1)
    return f" Is “{name}” meant to be “{close[0]}”?" if close else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"“{name[:40]}”" for name in names)
