"""Files of interactions as they are published, read into arrays. A file may be plain, gzipped (.gz) or inside a .zip.

| format | what a folder holds |
|---|---|
| lightgcn | train.txt and test.txt: a line for each user, `user item item …` |
| movielens | ratings.csv (userId,movieId,rating,timestamp), movies.csv (movieId,title,genres), perhaps tags.csv |
| sessions | train, test and perhaps valid, each .txt, .tsv or .csv with the columns SessionId, ItemId, Time |
| follows | follows.txt: who follows (or trusts) whom, `follower followee` on each line; lines with # are remarks |
| checkins | checkins.csv (user_id,loc_id,minutes), perhaps poi.csv (loc_id,lat,lon) |

FormatError names the file, the line and what was expected there.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.interactions import Ids
from ml.text_files import FormatError, Source, as_id, as_number, find, find_any, id_lines, rows

Floats = NDArray[np.float64]

_SESSION_COLUMNS = ("sessionid", "itemid", "time")


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


@dataclass(frozen=True)
class CheckIns:
    """`events`: who was at which place (an item) when, in seconds from the first moment of the data on; `places`: the
    latitude and longitude (degrees) by item id, of those that are known."""

    events: Events
    places: dict[int, tuple[float, float]]


def guess_format(folder: Path) -> str:
    """The format of a folder, by its files, and by the first line of train: sessions have a line of columns there.

    FormatError where no file is of any format.
    """
    for name, one in (("ratings", "movielens"), ("checkins", "checkins"), ("follows", "follows")):
        if find_any(folder, name):
            return one
    train = find_any(folder, "train")
    if train is None:
        raise FormatError(
            f"{folder} holds no file train, ratings, checkins or follows, so nothing says what it is. "
            "Name the files as `ml/formats.py` has them."
        )
    with train.open() as text:
        return "sessions" if _SESSION_COLUMNS[0] in text.readline().lower() else "lightgcn"


def read_lightgcn(folder: Path) -> tuple[Events, Events]:
    """The events of train and test."""
    return _read_adjacency(find(folder, "train")), _read_adjacency(find(folder, "test"))


def read_follows(folder: Path) -> Events:
    """Who follows whom: the users are the followers, the items those whom they follow, each pair once.

    FormatError also for somebody who follows themselves.
    """
    source = find(folder, "follows")
    followers, followees = array("q"), array("q")
    for number, (follower, followee) in id_lines(source, "follower followee", 2):
        if follower == followee:
            raise FormatError(f"{source}, line {number}: {follower} follows themselves. Leave the line out.")
        followers.append(follower)
        followees.append(followee)
    pairs = np.unique(np.stack([np.array(followers), np.array(followees)], axis=1), axis=0)
    return _plain_events(pairs[:, 0], pairs[:, 1])


def read_checkins(folder: Path) -> CheckIns:
    """The check-ins, as many as there are of each pair, and where the places are.

    FormatError also for what is no latitude or longitude.
    """
    events = _read_events(find(folder, "checkins"), ("user_id", "loc_id", "minutes"), seconds=60.0)
    places = {}
    if source := find_any(folder, "poi"):
        for place, lat, lon in rows(source, {"loc_id": as_id, "lat": _degrees(90), "lon": _degrees(180)}):
            places[place] = (lat, lon)
    return CheckIns(events, places)


def read_movielens(folder: Path) -> MovieLens:
    """The ratings and what is known of the films."""
    ratings = _read_events(find(folder, "ratings"), ("userId", "movieId", "timestamp"), weight="rating")
    titles, genres = {}, {}
    for film, title, kinds in rows(find(folder, "movies"), {"movieId": as_id, "title": str, "genres": str}):
        titles[film] = title
        genres[film] = [kind for kind in kinds.split("|") if kind and kind != "(no genres listed)"]
    tags: dict[int, list[tuple[str, float]]] = {}
    if source := find_any(folder, "tags"):
        for film, tag, time in rows(source, {"movieId": as_id, "tag": str, "timestamp": as_number}):
            tags.setdefault(film, []).append((tag, time))
    return MovieLens(ratings, titles, genres, tags)


def read_sessions(folder: Path) -> tuple[Events, Events | None, Events]:
    """The events of train, of valid (None where there is no such file) and of test, in the order of their times.

    What train and valid both hold is left out of train: some publish a train file that is all of it.
    """
    train, valid, test = find(folder, "train"), find_any(folder, "valid"), find(folder, "test")
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


def _read_adjacency(source: Source) -> Events:
    users, items = array("q"), array("q")
    for _, (user, *mine) in id_lines(source, "user item item …"):
        users.extend([user] * len(mine))
        items.extend(mine)
    return _plain_events(np.array(users), np.array(items))


def _plain_events(users: Ids, items: Ids) -> Events:
    """Events of which neither times nor weights are known."""
    return Events(users, items, np.zeros(len(users)), np.ones(len(users), np.float32))


def _read_session_events(source: Source) -> Events:
    events = _read_events(source, _SESSION_COLUMNS)
    order = np.argsort(events.times, kind="stable")
    return Events(events.users[order], events.items[order], events.times[order], events.weights[order])


def _read_events(
    source: Source, columns: tuple[str, str, str], *, weight: str | None = None, seconds: float = 1.0
) -> Events:
    """Events of the columns for users, items and times (each unit as many `seconds`), and perhaps one for weights."""
    user, item, time = columns
    makers: dict[str, Callable[[str], Any]] = {user: as_id, item: as_id, time: as_number}
    if weight:
        makers[weight] = as_number
    found: list[array[Any]] = [array("q"), array("q"), array("d"), array("f")]
    for cells in rows(source, makers):
        for column, cell in zip(found, cells if weight else [*cells, 1.0], strict=True):
            column.append(cell)
    users, items, times, weights = (np.array(column) for column in found)
    return Events(users, items, times * seconds, weights)


def _degrees(most: float) -> Callable[[str], float]:
    def make(cell: str) -> float:
        found = as_number(cell)
        if abs(found) > most:
            raise ValueError(f"{cell} lies outside of -{most:g} to {most:g} degrees")
        return found

    return make
