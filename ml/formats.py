"""Files of interactions as they are published, read into arrays. A file may be plain, gzipped (.gz) or inside a .zip.

| format | what a folder holds |
|---|---|
| lightgcn | train.txt and test.txt: a line for each user, `user item item …` |
| movielens | ratings.csv (userId,movieId,rating,timestamp), movies.csv (movieId,title,genres), perhaps tags.csv |
| sessions | train, test and perhaps valid, each .txt, .tsv or .csv with the columns SessionId, ItemId, Time |

FormatError names the file, the line and what was expected there.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ml.interactions import Ids

Floats = NDArray[np.float64]

_ENDINGS = (".txt", ".tsv", ".csv")
_SESSION_COLUMNS = ("sessionid", "itemid", "time")


class FormatError(ValueError):
    """A file that is not there, or is not what it should be."""


@dataclass(frozen=True)
class Events:
    """Parallel arrays, one entry for each event: `users` (or sessions), `items`, `times` (seconds; 0 where the format
    has none) and `weights` (1 where the format has none)."""

    users: Ids
    items: Ids
    times: Floats
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.users)

    def where(self, chosen: NDArray[np.bool_]) -> Events:
        """Those of the events that `chosen` (n_events,) holds true for."""
        return Events(self.users[chosen], self.items[chosen], self.times[chosen], self.weights[chosen])


@dataclass(frozen=True)
class MovieLens:
    """`ratings` with the stars as weights; `titles` and `genres` by item id; `tags` by item id, each with its time."""

    ratings: Events
    titles: dict[int, str]
    genres: dict[int, list[str]]
    tags: dict[int, list[tuple[str, float]]] = field(default_factory=dict)


def guess_format(folder: Path) -> str:
    """The format of a folder: films have a file of ratings, and sessions a line of columns. FormatError."""
    if _find(folder, "ratings", needed=False):
        return "movielens"
    train = _find(folder, "train")
    assert train is not None
    with train.open() as text:
        return "sessions" if _SESSION_COLUMNS[0] in text.readline().lower() else "lightgcn"


def read_lightgcn(folder: Path) -> tuple[Events, Events]:
    """The events of train and test."""
    return _read_adjacency(_find(folder, "train")), _read_adjacency(_find(folder, "test"))


def read_movielens(folder: Path) -> MovieLens:
    """The ratings and what is known of the films."""
    ratings = _read_events(_find(folder, "ratings"), ("userId", "movieId", "timestamp", "rating"))
    titles, genres = {}, {}
    for film, title, kinds in _rows(_find(folder, "movies"), {"movieId": _id, "title": str, "genres": str}):
        titles[film] = title
        genres[film] = [kind for kind in kinds.split("|") if kind and kind != "(no genres listed)"]
    tags: dict[int, list[tuple[str, float]]] = {}
    if path := _find(folder, "tags", needed=False):
        for film, tag, time in _rows(path, {"movieId": _id, "tag": str, "timestamp": _number}):
            tags.setdefault(film, []).append((tag, time))
    return MovieLens(ratings, titles, genres, tags)


def read_sessions(folder: Path) -> tuple[Events, Events | None, Events]:
    """The events of train, of valid (None where there is no such file) and of test, in the order of their times.

    What train and valid both hold is left out of train: some publish a train file that is all of it.
    """
    train, valid, test = (_find(folder, name, needed=name != "valid") for name in ("train", "valid", "test"))
    assert train is not None
    assert test is not None
    known, chosen = _read_session_events(train), _read_session_events(valid) if valid else None
    if chosen:
        known = known.where(~_among(known, chosen))
    return known, chosen, _read_session_events(test)


def _among(events: Events, others: Events) -> NDArray[np.bool_]:
    """Which events (n_events,) are among the others, with the same session, item and time."""
    both = [np.stack([one.users, one.items, one.times.view(np.int64)], axis=1) for one in (events, others)]
    _, numbers = np.unique(np.concatenate(both), axis=0, return_inverse=True)
    numbers = numbers.ravel()
    return np.isin(numbers[: len(events)], numbers[len(events) :])


@dataclass(frozen=True)
class _Source:
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


def _find(folder: Path, name: str, *, needed: bool = True) -> _Source | None:
    """The file of this part: `train.txt`, say, `…_train.csv.gz`, or what is called so in the folder's zip file."""
    if not folder.is_dir():
        raise FormatError(f"{folder} is no folder. Name the one that holds the files.")
    sources = []
    for path in sorted(folder.iterdir()):
        if path.suffix == ".zip":
            try:
                with zipfile.ZipFile(path) as archive:
                    sources += [_Source(path, member) for member in sorted(archive.namelist())]
            except zipfile.BadZipFile as error:
                raise FormatError(f"{path} cannot be read: {error}") from error
        elif path.is_file():
            sources.append(_Source(path))
    stems = {source: source.name.rsplit(".", 1)[0] for source in sources if source.name.endswith(_ENDINGS)}
    for endings in ("", f"_{name}", f"_{name}_full"):
        if found := [source for source, stem in stems.items() if (stem.endswith(endings) if endings else stem == name)]:
            return found[0]
    if not needed:
        return None
    raise FormatError(f"{folder} holds no file {name} ({', '.join(_ENDINGS)}, plain, .gz or in a .zip).")


def _read_adjacency(source: _Source | None) -> Events:
    assert source is not None
    users: list[int] = []
    items: list[int] = []
    with source.open() as lines:
        for number, line in enumerate(lines, 1):
            try:
                user, *mine = map(_id, line.split())
            except ValueError:
                if not line.strip():
                    continue
                raise FormatError(f"{source}, line {number}: numbers `user item item …` are expected.") from None
            users += [user] * len(mine)
            items += mine
    return Events(
        np.array(users, np.int64), np.array(items, np.int64), np.zeros(len(users)), np.ones(len(users), np.float32)
    )


def _read_session_events(source: _Source) -> Events:
    events = _read_events(source, _SESSION_COLUMNS)
    order = np.argsort(events.times, kind="stable")
    return Events(events.users[order], events.items[order], events.times[order], events.weights[order])


def _read_events(source: _Source | None, columns: Sequence[str]) -> Events:
    """Events of the columns for users, items and times, and perhaps one for weights."""
    users, items, times, weights = array("q"), array("q"), array("d"), array("f")
    for user, item, time, *weight in _rows(source, dict(zip(columns, (_id, _id, _number, _number), strict=False))):
        users.append(user)
        items.append(item)
        times.append(time)
        weights.append(weight[0] if weight else 1.0)
    return Events(np.array(users), np.array(items), np.array(times), np.array(weights))


def _rows(source: _Source | None, columns: Mapping[str, Callable[[str], Any]]) -> Iterator[list[Any]]:
    """The values of these columns, each made of its cell."""
    assert source is not None
    with source.open() as text:
        first = text.readline()
        separator = "\t" if "\t" in first else ","
        header = [cell.strip().lower() for cell in next(csv.reader([first], delimiter=separator), [])]
        missing = [column for column in columns if column.lower() not in header]
        if missing:
            raise FormatError(f"{source}, line 1: the columns {', '.join(missing)} are missing.")
        wanted = [(header.index(column.lower()), make) for column, make in columns.items()]
        for number, row in enumerate(csv.reader(text, delimiter=separator), 2):
            if not row:
                continue
            try:
                values = [make(row[place]) for place, make in wanted]
            except (IndexError, ValueError):
                raise FormatError(
                    f"{source}, line {number}: {', '.join(columns)} are expected: ids as whole numbers, others finite."
                ) from None
            yield values


def _id(cell: str) -> int:
    found = int(cell)
    if not 0 <= found < 2**63:
        raise ValueError(f"{cell} is no id: 0 to 2^63 - 1 are")
    return found


def _number(cell: str) -> float:
    found = float(cell)
    if not math.isfinite(found):
        raise ValueError(f"{cell} is not finite")
    return found
