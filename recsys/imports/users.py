"""Users from CSV or JSONL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from recsys.accounts.actions import UserInput, check_user, do_upsert_users
from recsys.accounts.models import User
from recsys.imports.formats import Format, Job, chunks
from recsys.imports.tables import Columns, read_table
from recsys.inputs import InputError

CHUNK = 5000
COLUMNS = Columns(("external_id",), ("username", "display_name", "bio", "region"))
Numbered = tuple[int, UserInput]


class UsersFormat(Format):
    """Users by `external_id`: new ones are created, of known ones the given fields are changed."""

    wants = "a CSV or JSONL file of users: external_id, username, …"
    tables = ("accounts_user",)

    def load(self, path: Path, job: Job) -> None:
        store_users(_users(path, job), path.name, job)


def _users(path: Path, job: Job) -> Iterator[Numbered]:
    by_id: dict[str, int] = {}
    by_username: dict[str, int] = {}
    for record in read_table(path, COLUMNS, job.report, shown=job.shown):
        try:
            user = check_user(record.data)
        except InputError as error:
            job.report.reject_input(path.name, record.line, error)
            continue
        if user.external_id in by_id:
            reason = f"“{user.external_id}” is on line {by_id[user.external_id]} already; a user may come once."
            job.report.reject(path.name, record.line, reason, "external_id")
        elif user.username and user.username in by_username:
            reason = f"“{user.username}” is the username on line {by_username[user.username]} already."
            job.report.reject(path.name, record.line, reason, "username")
        else:
            by_id[user.external_id] = record.line
            if user.username:
                by_username[user.username] = record.line
            yield record.line, user


def store_users(users: Iterable[Numbered], file: str, job: Job) -> None:
    """Create or update these users (with the lines that they come from), and count them.

    One whose username is somebody else's is a bad row.
    """
    for chunk in chunks(users, CHUNK):
        free = list(_with_free_usernames(chunk, file, job))
        job.report.tally("users").add(*do_upsert_users(rows=free))


def _with_free_usernames(users: list[Numbered], file: str, job: Job) -> Iterator[UserInput]:
    wanted = [user.username for _, user in users if user.username]
    owners = dict(User.objects.filter(username__in=wanted).values_list("username", "external_id"))
    for line, user in users:
        if user.username in owners and owners[user.username] != user.external_id:
            job.report.reject(file, line, f"“{user.username}” is somebody else's username here.", "username")
        else:
            yield user
