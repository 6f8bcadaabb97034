"""MovieLens: films, genres and tags become items, raters become users, ratings become interactions.

The layout of https://grouplens.org/datasets/movielens/ (ml-latest and its kin): a directory of CSV files.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import connection

from recsys.accounts.actions import UserInput
from recsys.catalog.actions import ItemInput, check_item
from recsys.imports.errors import ImportFileError
from recsys.imports.formats import Format, Job
from recsys.imports.interactions import Staged, as_number, checked, merge, moment, stage
from recsys.imports.items import Numbered, store_items
from recsys.imports.tables import Columns, read_table
from recsys.imports.users import store_users
from recsys.inputs import FieldError, InputError

PREFIX = "movielens"  # of the external ids
MAX_TAGS = 30  # of what people wrote, the most frequent ones
MOVIES = Columns(("movieId", "title", "genres"))
LINKS = Columns(("movieId",), ("imdbId", "tmdbId"))
TAGS = Columns(("userId", "movieId", "tag"), ("timestamp",))
RATINGS = Columns(("userId", "movieId", "rating", "timestamp"))
NO_GENRE = "(no genres listed)"

_YEAR = re.compile(r"\s*\((\d{4})(?:[-–]\d{0,4})?\)\s*$")
_ARTICLES = (
    "The", "A", "An", "Le", "La", "Les", "L'", "Un", "Une", "Der", "Die", "Das", "Ein", "Eine", "El", "Los", "Las",
    "Il", "Lo", "I", "Gli", "O", "Os", "As", "De", "Det", "Den",
)  # fmt: skip
_ARTICLE = re.compile(rf"(?P<name>[^()]+), (?P<article>{'|'.join(_ARTICLES)})(?= ?[()]|$)")
_RATERS = """
SELECT min(line), user_name FROM import_interaction s
WHERE NOT EXISTS (SELECT 1 FROM accounts_user u WHERE u.external_id = s.user_name)
GROUP BY user_name ORDER BY 1
"""


class MovieLensFormat(Format):
    """The directory of a MovieLens dataset."""

    wants = "the directory of a MovieLens dataset: movies.csv and ratings.csv, also tags.csv and links.csv"
    tables = ("catalog_item", "accounts_user", "events_interaction", "events_itemheat")
    advice = "The counters are up to date. `manage.py train` lets the models learn from it now."

    def load(self, path: Path, job: Job) -> None:
        files = _files(path)
        links, tags = _links(files.get("links"), job), _tags(files.get("tags"), job)
        store_items(_items(files["movies"], links, tags, job), files["movies"].name, job, field="movieId")
        stage(_ratings(files["ratings"], job))
        _store_raters(files["ratings"].name, job)
        merge(files["ratings"].name, job)


def split_title(title: str) -> tuple[str, int | None]:
    """("The American President", 1995) from "American President, The (1995)"; None where there is no year."""
    year = _YEAR.search(title)
    name = title[: year.start()] if year else title.strip()
    return _ARTICLE.sub(_turn, name), int(year[1]) if year else None


def _turn(found: re.Match[str]) -> str:
    """ "The Chamber" for "Chamber, The"."""
    space = "" if found["article"].endswith("'") else " "
    return f"{found['article']}{space}{found['name']}"


def _files(path: Path) -> dict[str, Path]:
    """The dataset's files by name, plain or gzipped; ImportFileError where the path is not such a directory."""
    if not path.exists():
        raise ImportFileError(f"There is no directory {path}.")
    if not path.is_dir():
        raise ImportFileError(
            f"{path} is a file. This format wants the directory that holds movies.csv and ratings.csv."
        )
    found = {}
    for name in ("movies", "ratings", "tags", "links"):
        candidates = [path / f"{name}.csv", path / f"{name}.csv.gz"]
        if present := [file for file in candidates if file.exists()]:
            found[name] = present[0]
        elif name in ("movies", "ratings"):
            there = ", ".join(sorted(file.name for file in path.iterdir())[:10]) or "nothing"
            raise ImportFileError(f"{path} lacks {name}.csv (plain or .gz). It holds: {there}.")
    return found


def _links(path: Path | None, job: Job) -> dict[str, dict[str, Any]]:
    """What other sites call a film, by movieId."""
    rows = read_table(path, LINKS, job.report, shown=job.shown) if path else ()
    return {row.data.get("movieId", ""): {key: row.data[key] for key in row.data if key != "movieId"} for row in rows}


def _tags(path: Path | None, job: Job) -> dict[str, Counter[str]]:
    """How often each tag was given, in lower case, by movieId."""
    tags: dict[str, Counter[str]] = defaultdict(Counter)
    if path is None:
        return tags
    for line, data, _ in read_table(path, TAGS, job.report, shown=job.shown):
        tag = " ".join(str(data.get("tag", "")).lower().split())
        if not tag or not data.get("movieId"):
            job.report.reject(path.name, line, "A tag needs a movieId and a text.", "movieId" if tag else "tag")
        elif len(tag) > 100:
            job.report.reject(path.name, line, f"This tag has {len(tag)} characters; at most 100 are allowed.", "tag")
        else:
            tags[data["movieId"]][tag] += 1
    return tags


def _items(path: Path, links: dict[str, dict[str, Any]], tags: dict[str, Counter[str]], job: Job) -> Iterator[Numbered]:
    lines: dict[str, int] = {}
    for line, data, _ in read_table(path, MOVIES, job.report, shown=job.shown):
        movie = str(data.get("movieId", ""))
        try:
            item = _item(movie, data, links.get(movie, {}), tags.get(movie, Counter()))
        except InputError as error:
            job.report.reject_input(path.name, line, error)
            continue
        if movie in lines:
            job.report.reject(path.name, line, f"Film {movie} is on line {lines[movie]} already.", "movieId")
            continue
        lines[movie] = line
        yield line, item


def _item(movie: str, data: dict[str, Any], links: dict[str, Any], tags: Counter[str]) -> ItemInput:
    if not movie:
        raise InputError([FieldError("movieId", "This must not be empty.")])
    title, year = split_title(str(data.get("title", "")))
    genres = [genre for genre in str(data.get("genres", "")).split("|") if genre and genre != NO_GENRE]
    written = sorted(tags, key=lambda tag: (-tags[tag], tag))[:MAX_TAGS]
    imdb = links.get("imdbId")
    attributes = {"year": year, "imdb": f"tt{imdb}" if imdb else None, "tmdb": links.get("tmdbId")}
    return check_item(
        {
            "external_id": f"{PREFIX}:{movie}",
            "kind": "film",
            "title": title,
            "category": genres[0] if genres else "",
            "tags": [*(genre.lower() for genre in genres), *written],
            "url": f"https://www.imdb.com/title/tt{imdb}/" if imdb else "",
            "attributes": {key: value for key, value in attributes.items() if value is not None},
            "published_at": datetime(year, 1, 1, tzinfo=UTC) if year else None,
        }
    )


def _ratings(path: Path, job: Job) -> Iterator[Staged]:
    for line, data, _ in read_table(path, RATINGS, job.report, shown=job.shown):
        try:
            yield checked(line, _event(data))
        except InputError as error:
            names = {"user": "userId", "item": "movieId", "value": "rating", "occurred_at": "timestamp"}
            renamed = InputError(FieldError(names.get(name, name), message) for name, message in error.errors)
            job.report.reject_input(path.name, line, renamed)


def _event(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "user": f"{PREFIX}:{data['userId']}" if data.get("userId") else "",
        "item": f"{PREFIX}:{data['movieId']}" if data.get("movieId") else "",
        "kind": "rate",
        "value": as_number(str(data.get("rating", ""))),
        "occurred_at": moment(str(data.get("timestamp", ""))),
    }


def _store_raters(file: str, job: Job) -> None:
    """Create those who rate and are not known yet."""
    with connection.cursor() as cursor:
        cursor.execute(_RATERS)
        raters = [(line, name.removeprefix(f"{PREFIX}:")) for line, name in cursor]
        cursor.execute("SELECT count(DISTINCT user_name) FROM import_interaction")
        known = int(cursor.fetchone()[0]) - len(raters)
    job.report.tally("users").add(0, 0, known)
    users = (
        (line, UserInput(f"{PREFIX}:{number}", f"{PREFIX}-{number}"[:30], f"MovieLens reader {number}"[:80]))
        for line, number in raters
    )
    store_users(users, file, job)
