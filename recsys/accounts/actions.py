"""Writes about people."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import connection, transaction

from recsys.accounts.history import do_anonymise_history, is_former_staff
from recsys.accounts.models import User
from recsys.accounts.regions import normalise_region
from recsys.accounts.usernames import LONGEST, derive_username, username_fault
from recsys.inputs import FieldError, InputError, text_fault

CHUNK = 1000
LIMITS = {"external_id": 128, "username": LONGEST, "display_name": 80, "bio": 280, "region": 64}
FLAGS = ("is_private", "shows_presence")  # true or false
FIELDS = (*LIMITS, *FLAGS)
INSERT = """
    INSERT INTO accounts_user (external_id, username, display_name, bio, region, password, is_private, shows_presence,
                               first_name, last_name, email, is_superuser, is_staff, is_active, date_joined)
    SELECT new.*, '', '', '', false, false, true, now()
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::boolean[], %s::boolean[])
        AS new (external_id, username, display_name, bio, region, password, is_private, shows_presence)
    ON CONFLICT DO NOTHING
    RETURNING external_id
"""
UPDATABLE = ("username", "display_name", "bio", "region", *FLAGS)


@dataclass(frozen=True, slots=True)
class UserInput:
    """A person as a partner or an import describes them, checked. None leaves what is stored as it is."""

    external_id: str
    username: str | None = None
    display_name: str | None = None
    bio: str | None = None
    region: str | None = None
    is_private: bool | None = None
    shows_presence: bool | None = None


class UpsertResult(NamedTuple):
    """How many rows were new, changed, and already as given."""

    created: int
    updated: int
    unchanged: int


def check_user(data: object) -> UserInput:
    """Check what a partner sent; raises InputError with every fault."""
    if not isinstance(data, Mapping):
        raise InputError([FieldError("", "A user must be a JSON object with external_id.")])
    unknown = [str(name)[:40] for name in data if name not in FIELDS]
    errors = [
        FieldError(name, f"There is no such field. The fields are: {', '.join(FIELDS)}.") for name in unknown[:20]
    ]
    for name, longest in LIMITS.items():
        required = name == "external_id"
        if not required and data.get(name) is None:
            continue
        if fault := text_fault(data.get(name, ""), longest=longest, required=required):
            errors.append(FieldError(name, fault))
    errors += [
        FieldError(name, "This must be true or false.") for name in FLAGS if not isinstance(data.get(name), bool | None)
    ]
    if errors:
        raise InputError(errors)
    return _checked(data)


def _checked(data: Mapping[str, Any]) -> UserInput:
    values: dict[str, Any] = {name: data[name].strip() for name in LIMITS if data.get(name) is not None}
    values |= {name: data.get(name) for name in FLAGS}
    errors = []
    if "username" in values:
        values["username"] = values["username"].lower()
        if fault := username_fault(values["username"]):
            errors.append(FieldError("username", fault))
    try:
        if "region" in values:
            values["region"] = normalise_region(values["region"])
    except ValueError as error:
        errors.append(FieldError("region", str(error)))
    if errors:
        raise InputError(errors)
    return UserInput(**values)


def do_upsert_users(*, rows: Sequence[UserInput]) -> UpsertResult:
    """Create the users that are not known yet by their external id, and bring the others to what is given.

    All or nothing. A repetition changes nothing; of two rows about one person the later one wins. Raises InputError
    where a username is somebody else's.
    """
    latest = {row.external_id: row for row in rows}
    # One order for all, so that two batches at the same time cannot deadlock.
    wanted = [latest[external_id] for external_id in sorted(latest)]
    total = UpsertResult(0, 0, 0)
    with transaction.atomic():
        for start in range(0, len(wanted), CHUNK):
            result = _upsert_chunk(wanted[start : start + CHUNK])
            total = UpsertResult(*(a + b for a, b in zip(total, result, strict=True)))
    return total


def _upsert_chunk(rows: Sequence[UserInput]) -> UpsertResult:
    known = _lock(rows)
    created = _create([row for row in rows if row.external_id not in known])
    known |= _lock([row for row in rows if row.external_id not in known and row.external_id not in created])
    existing = [row for row in rows if row.external_id not in created]
    if lost := [row for row in existing if row.external_id not in known]:
        raise InputError(_taken(str(row.username), row.external_id) for row in lost)
    changed = [known[row.external_id] for row in existing if _apply(known[row.external_id], row)]
    _refuse_taken(changed)
    User.objects.bulk_update(changed, UPDATABLE)
    return UpsertResult(len(created), len(changed), len(existing) - len(changed))


def _lock(rows: Sequence[UserInput]) -> dict[str, User]:
    external_ids = [row.external_id for row in rows]
    users = User.objects.select_for_update().order_by("external_id").filter(external_id__in=external_ids)
    return {str(user.external_id): user for user in users}


def _apply(user: User, row: UserInput) -> bool:
    """Bring `user` to `row`; return whether anything changed."""
    before = [getattr(user, name) for name in UPDATABLE]
    for name in UPDATABLE:
        if (value := getattr(row, name)) is not None:
            setattr(user, name, value)
    return before != [getattr(user, name) for name in UPDATABLE]


def _taken(username: str, external_id: str | None) -> FieldError:
    return FieldError("username", f"“{username}” for {external_id} is somebody else's.")


def _refuse_taken(users: Sequence[User]) -> None:
    names = Counter(user.username for user in users)
    owners = dict(User.objects.filter(username__in=names).values_list("username", "pk"))
    taken = [user for user in users if names[user.username] > 1 or owners.get(user.username, user.pk) != user.pk]
    if taken:
        raise InputError(_taken(user.username, user.external_id) for user in taken)


def _create(rows: Sequence[UserInput]) -> set[str]:
    """Insert those who are still unknown, and return their external ids."""
    if not rows:
        return set()
    usernames = _choose_usernames(rows)
    columns: list[list[Any]] = [
        [row.external_id for row in rows],
        [usernames[row.external_id] for row in rows],
        [row.display_name or "" for row in rows],
        [row.bio or "" for row in rows],
        [row.region or "" for row in rows],
        [unusable_password() for _ in rows],
        [bool(row.is_private) for row in rows],
        [row.shows_presence is not False for row in rows],
    ]
    with connection.cursor() as cursor:
        cursor.execute(INSERT, columns)
        return {external_id for (external_id,) in cursor.fetchall()}


def _choose_usernames(rows: Sequence[UserInput]) -> dict[str, str]:
    """A free username for each external id; the given ones come first."""
    wanted = {row.external_id: row.username or derive_username(row.external_id) for row in rows}
    taken = set(User.objects.filter(username__in=wanted.values()).values_list("username", flat=True))
    for row in sorted(rows, key=lambda row: row.username is None):
        if wanted[row.external_id] in taken:
            if row.username:
                raise InputError([_taken(row.username, row.external_id)])
            wanted[row.external_id] = derive_username(row.external_id, distinct=True)
        taken.add(wanted[row.external_id])
    return wanted


def unusable_password() -> str:
    """What `make_password(None)` gives, for thousands at a time: its random letters cost half a millisecond."""
    return UNUSABLE_PASSWORD_PREFIX + secrets.token_urlsafe(30)


def do_update_profile(
    *, user: User, display_name: str | None = None, bio: str | None = None, region: str | None = None
) -> User:
    """Change what a person says of themselves; None leaves a field as it is."""
    given = {"display_name": display_name, "bio": bio, "region": region}
    changed = {name: value for name, value in given.items() if value is not None and value != getattr(user, name)}
    for name, value in changed.items():
        setattr(user, name, value)
    if changed:
        user.save(update_fields=list(changed))
    return user


def do_show_presence(*, user: User, shows_presence: bool) -> bool:
    """Let others see when `user` is online, or no more; whether it was a change."""
    others = User.objects.exclude(shows_presence=shows_presence)
    changed = others.filter(pk=user.pk).update(shows_presence=shows_presence)
    user.shows_presence = shows_presence
    return bool(changed)


def do_erase_user(*, user: User) -> None:
    """Delete `user` with everything of theirs: posts, follows, events, slates. Gone already is success.

    What they changed as staff is kept without their name (see history.py). InputError for the account that stands for
    all who are gone.
    """
    if is_former_staff(user):
        raise InputError([FieldError("", "This account holds what former staff changed; it cannot be erased.")])
    with transaction.atomic():
        # Held first: nothing of theirs, such as a change that they are just saving in the admin, comes in between.
        if User.objects.select_for_update().filter(pk=user.pk).exists():
            do_anonymise_history(user=user)
            User.objects.filter(pk=user.pk).delete()
