"""The social graph from a file: CSV, JSONL, or a bare list of edges."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from django.db import connection

from recsys.accounts.actions import UserInput, check_user
from recsys.imports.copying import copy_rows
from recsys.imports.errors import ImportFileError
from recsys.imports.files import open_lines
from recsys.imports.formats import Format, Job
from recsys.imports.tables import Columns, read_table
from recsys.imports.users import store_users
from recsys.inputs import InputError
from recsys.outbox.capture import capture_off

COLUMNS = Columns(("follower", "followee"))
Edge = tuple[int, str, str]

_SEPARATOR = re.compile(r"[\s,;]+")
_COMMENT = ("#", "%", "//")
_STAGE = """
DROP TABLE IF EXISTS pg_temp.import_follow;
CREATE TEMPORARY TABLE import_follow (line bigint, follower text, followee text) ON COMMIT DROP
"""
_NEW_PEOPLE = """
SELECT min(line), name FROM (
    SELECT line, follower AS name FROM import_follow UNION ALL SELECT line, followee FROM import_follow) one
WHERE NOT EXISTS (SELECT 1 FROM accounts_user u WHERE u.external_id = one.name)
GROUP BY name ORDER BY 1
"""
# In the order of the index, so that it grows at its end and two statements cannot wait for each other in a circle.
_MERGE = """
INSERT INTO feeds_follow (follower_id, followee_id)
SELECT DISTINCT a.id, b.id FROM import_follow s
JOIN accounts_user a ON a.external_id = s.follower JOIN accounts_user b ON b.external_id = s.followee
ORDER BY 1, 2
ON CONFLICT (follower_id, followee_id) DO NOTHING
"""


class FollowsFormat(Format):
    """Who follows whom, by external id. People who are not known yet are created; repeated edges count once."""

    wants = "a list of edges, “follower followee” on each line, or CSV or JSONL with these names"
    tables = ("accounts_user", "feeds_follow", "feeds_authorstats")
    advice = "Home pages show the new authors from the next time they are opened."

    def load(self, path: Path, job: Job) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_STAGE)
        edges = copy_rows("import_follow", ("line", "follower", "followee"), _edges(path, job))
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE import_follow")
            cursor.execute(_NEW_PEOPLE)
            # By the rows themselves, these are fine: `_edges` has checked them.
            store_users(((line, UserInput(name)) for line, name in cursor), path.name, job)
        with connection.cursor() as cursor, capture_off():
            # Nothing needs to be rebuilt: a home timeline notices by itself that its reader's graph has changed.
            cursor.execute(_MERGE)
            job.report.tally("follows").add(cursor.rowcount, 0, edges - cursor.rowcount)


def _edges(path: Path, job: Job) -> Iterator[Edge]:
    """The good edges of `path`."""
    checked: dict[str, str] = {}
    read = _table_edges if _has_names(path) else _listed_edges
    for line, follower, followee in read(path, job):
        faults = [
            (name, fault)
            for name, who in (("follower", follower), ("followee", followee))
            if (fault := _fault(who, checked))
        ]
        if not faults and follower == followee:
            faults = [("followee", "Nobody can follow themselves.")]
        for name, fault in faults:
            job.report.reject(path.name, line, fault, name)
        if not faults:
            yield line, follower, followee


def _fault(name: object, checked: dict[str, str]) -> str:
    """What is wrong with an external id, or "". `checked` remembers, as the same ids come again and again."""
    if not isinstance(name, str) or name not in checked:
        try:
            check_user({"external_id": name})
            fault = ""
        except InputError as error:
            fault = error.errors[0].message
        if not isinstance(name, str):
            return fault
        checked[name] = fault
    return checked[name]


def _has_names(path: Path) -> bool:
    """Whether the file is a table: JSONL, or CSV with a header. Else it is a bare list."""
    with open_lines(path) as lines:
        first = next((line.strip().lower() for line in lines if line.strip() and not line.startswith(_COMMENT)), None)
    if first is None:
        raise ImportFileError(f"{path} holds no edges: nothing but empty lines and comments.")
    names = {name.strip('"') for name in _SEPARATOR.split(first)}
    return first.startswith(("{", "[")) or bool(names & set(COLUMNS.all))


def _table_edges(path: Path, job: Job) -> Iterator[tuple[int, str, str]]:
    for line, data, _ in read_table(path, COLUMNS, job.report, shown=job.shown):
        yield line, data.get("follower", ""), data.get("followee", "")


def _listed_edges(path: Path, job: Job) -> Iterator[Edge]:
    with open_lines(path, shown=job.shown) as lines:
        for text in lines:
            if fault := lines.faults.pop(lines.number, None):
                job.report.reject(path.name, lines.number, fault)
                continue
            if not text.strip() or text.startswith(_COMMENT):
                continue
            names = _SEPARATOR.split(text.strip())
            if len(names) == 2:
                yield lines.number, names[0], names[1]
            else:
                reason = (
                    f"There are {len(names)} words; “follower followee” is wanted, separated by a space, tab or comma."
                )
                job.report.reject(path.name, lines.number, reason)
