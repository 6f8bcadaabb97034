"""Text files of lines and of columns, plain, gzipped (.gz) or inside a .zip, found by what they are called.

FormatError names the file, the line and the column, what was wrong there, and what was expected.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ENDINGS = (".txt", ".tsv", ".csv")


class FormatError(ValueError):
    """A file that is not there, or is not what it should be."""


@dataclass(frozen=True)
class Source:
    """A file, or a member of a zip file."""

    path: Path
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.member}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        return (self.member or self.path.name).removesuffix(".gz").rsplit("/", 1)[-1]

    @contextmanager
    def open(self) -> Iterator[IO[str]]:
        """Its text; FormatError where it is damaged, or no text."""
        try:
            if self.member:
                with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as raw:
                    yield io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
            elif self.path.suffix == ".gz":
                with gzip.open(self.path, "rt", encoding="utf-8-sig", newline="") as text:
                    yield text
            else:
                with self.path.open(encoding="utf-8-sig", newline="") as text:
                    yield text
        except (OSError, EOFError, UnicodeDecodeError, zipfile.BadZipFile, zlib.error, csv.Error) as error:
            raise FormatError(f"{self} cannot be read: {error}") from error


def find(folder: Path, name: str) -> Source:
    """The file of this part: `train.txt`, say, `…_train.csv.gz`, or what is called so in the folder's zip file.

    FormatError where there is none.
    """
    found = find_any(folder, name)
    if found is None:
        raise FormatError(f"{folder} holds no file {name} ({', '.join(ENDINGS)}, plain, .gz or in a .zip).")
    return found


def find_any(folder: Path, name: str) -> Source | None:
    """As `find`, None where there is none. FormatError for what is no folder, or a damaged zip file."""
    if not folder.is_dir():
        raise FormatError(f"{folder} is no folder. Name the one that holds the files.")
    sources = []
    for path in sorted(folder.iterdir()):
        if path.suffix == ".zip":
            try:
                with zipfile.ZipFile(path) as archive:
                    sources += [Source(path, member) for member in sorted(archive.namelist())]
            except zipfile.BadZipFile as error:
                raise FormatError(f"{path} cannot be read: {error}") from error
        elif path.is_file():
            sources.append(Source(path))
    stems = {source: source.name.rsplit(".", 1)[0] for source in sources if source.name.endswith(ENDINGS)}
    for endings in ("", f"_{name}", f"_{name}_full"):
        if found := [source for source, stem in stems.items() if (stem.endswith(endings) if endings else stem == name)]:
            return found[0]
    return None


def id_lines(source: Source, expected: str, count: int | None = None) -> Iterator[tuple[int, list[int]]]:
    """The number of each line and its ids, parted by spaces or tabs; empty lines and those that begin with # are none.

    FormatError, which names what was `expected`, where something is no id, or where there are not `count` of them.
    """
    with source.open() as lines:
        for number, line in enumerate(lines, 1):
            cells = line.split()
            if not cells or cells[0].startswith("#"):
                continue
            try:
                ids = [as_id(cell) for cell in cells]
            except ValueError as error:
                raise FormatError(f"{source}, line {number}: {error}. A line is `{expected}`, all of it ids.") from None
            if count is not None and len(ids) != count:
                raise FormatError(f"{source}, line {number}: {len(ids)} ids. A line is `{expected}`, {count} ids.")
            yield number, ids


def rows(source: Source, columns: Mapping[str, Callable[[str], Any]]) -> Iterator[list[Any]]:
    """The values of these columns, each made of its cell by a function that may raise ValueError.

    The first line names the columns, in any order and case, among others; they are parted by tabs or commas.
    FormatError.
    """
    with source.open() as text:
        first = text.readline()
        separator = "\t" if "\t" in first else ","
        header = [cell.strip().lower() for cell in next(csv.reader([first], delimiter=separator), [])]
        missing = [column for column in columns if column.lower() not in header]
        if missing:
            raise FormatError(
                f"{source}, line 1: the columns {', '.join(missing)} are missing. It is to name {', '.join(columns)}."
            )
        wanted = [(column, header.index(column.lower()), make) for column, make in columns.items()]
        for number, row in enumerate(csv.reader(text, delimiter=separator), 2):
            if row:
                yield [_cell(source, number, column, row, place, make) for column, place, make in wanted]


def _cell(source: Source, number: int, column: str, row: list[str], place: int, make: Callable[[str], Any]) -> Any:
    try:
        return make(row[place])
    except IndexError:
        problem = f"the line ends after {len(row)} of its cells"
    except ValueError as error:
        problem = str(error)
    raise FormatError(f"{source}, line {number}, column {column}: {problem}. Mend the line, or leave it out.")


def as_id(cell: str) -> int:
    """ValueError for what is no id."""
    if cell.strip().isdecimal() and (found := int(cell)) < 2**63:
        return found
    raise ValueError(f"{cell!r} is no id (a whole number from 0 to 2^63 - 1)")


def as_number(cell: str) -> float:
    """ValueError for what is no finite number."""
    try:
        found = float(cell)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{cell!r} is no finite number")
    return found
