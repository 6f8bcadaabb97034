"""Who is at the other end of a connection, and whether that is still so. Reads Django's session and user tables."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from realtime.access import Access, AccessError, read_token, valid_issuers

CHUNK = 500  # rows looked up by one statement


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody shows to be let in; with neither they are a visitor whom nobody knows."""

    session_key: str = ""
    token: str = ""


@dataclass(eq=False, slots=True)
class Visitor:
    """Somebody who was let in: by a session, by an access token, or as a stranger (`user_id` is None).

    `marks` stand for the password and the session's contents, as they were: kept for each connection, so as numbers.
    """

    user_id: int | None = None
    session_key: str = ""
    access: Access | None = None
    marks: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why somebody is not let in."""

    reason: str


_NO_SESSION = Refusal("This log-in has ended. Log in again.")


def find_visitors(shown: Sequence[Credentials]) -> list[Visitor | Refusal]:
    """Who shows these credentials, in their order. Two or three queries, however many they are (up to CHUNK)."""
    sessions = _running_sessions({one.session_key for one in shown if one.session_key and not one.token})
    contents = {key: SessionStore().decode(data) for key, data in sessions.items()}
    accesses = {one.token: _read(one.token) for one in shown if one.token}
    issuers = valid_issuers({access.issuer for access in accesses.values() if isinstance(access, Access)})
    owners = [_owner(content) for content in contents.values()]
    users = _active_users([*owners, *(access.user for access in accesses.values() if isinstance(access, Access))])

    def find(one: Credentials) -> Visitor | Refusal:
        if one.token:
            return _by_token(accesses[one.token], issuers, users)
        if one.session_key:
            return _by_session(one.session_key, sessions, contents, users)
        return Visitor()

    return [find(one) for one in shown]


def find_departed(visitors: Sequence[Visitor]) -> list[Visitor]:
    """Those of `visitors` who have logged out since, whose session or token has ended, or whose account has."""
    known = [visitor for visitor in visitors if visitor.user_id is not None]
    return [one for start in range(0, len(known), CHUNK) for one in _departed(known[start : start + CHUNK])]


def _departed(visitors: Sequence[Visitor]) -> list[Visitor]:
    sessions = _running_sessions({visitor.session_key for visitor in visitors if visitor.session_key})
    passwords = _active_passwords({visitor.user_id for visitor in visitors})
    issuers = valid_issuers({visitor.access.issuer for visitor in visitors if visitor.access})
    departed, changed = [], []
    for visitor in visitors:
        password, data = passwords.get(visitor.user_id), sessions.get(visitor.session_key)
        if visitor.access is not None:
            if password is None or visitor.access.issuer not in issuers or visitor.access.expires_at <= time.time():
                departed.append(visitor)
        elif password is None or data is None:
            departed.append(visitor)
        elif _marks(password, data) != visitor.marks:
            changed.append(visitor)
    return departed + _not_found_again(changed)


def _not_found_again(visitors: Sequence[Visitor]) -> list[Visitor]:
    """Those whose changed session or password lets them in no more. A new password ends all sessions but the one that
    set it.
    """
    departed = []
    for visitor, found in zip(visitors, find_visitors([Credentials(one.session_key) for one in visitors]), strict=True):
        if isinstance(found, Visitor) and found.user_id == visitor.user_id:
            visitor.marks = found.marks
        else:
            departed.append(visitor)
    return departed


Users = dict[int, AbstractBaseUser]


def _by_token(access: Access | Refusal, issuers: set[str], users: Users) -> Visitor | Refusal:
    if isinstance(access, Refusal):
        return access
    if access.issuer not in issuers:
        return Refusal("Whoever gave this access token may not do so any more.")
    if access.user not in users:
        return Refusal("The account of this access token is not active.")
    return Visitor(access.user, access=access)


def _by_session(key: str, sessions: dict[str, str], contents: dict[str, Any], users: Users) -> Visitor | Refusal:
    if key not in sessions:
        return _NO_SESSION
    content = contents[key]
    if SESSION_KEY not in content:
        return Visitor()  # the session of somebody who is not logged in
    user = users.get(_owner(content) or 0)
    if user is None or content.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return _NO_SESSION
    if not any(constant_time_compare(content.get(HASH_SESSION_KEY, ""), known) for known in _session_hashes(user)):
        return _NO_SESSION  # from before the password was changed
    return Visitor(int(user.pk), session_key=key, marks=_marks(user.password, sessions[key]))


def _read(token: str) -> Access | Refusal:
    try:
        return read_token(token)
    except AccessError as error:
        return Refusal(str(error))


def _marks(password: str, data: str) -> tuple[int, int]:
    return hash(password), hash(data)


def _session_hashes(user: AbstractBaseUser) -> Iterator[str]:
    yield user.get_session_auth_hash()
    yield from user.get_session_auth_fallback_hash()


def _owner(content: dict[str, Any]) -> int | None:
    owner = str(content.get(SESSION_KEY, ""))
    return int(owner) if owner.isdigit() else None


def _active_users(users: Iterable[int | None]) -> Users:
    wanted = {user for user in users if user is not None}
    if not wanted:
        return {}
    found = get_user_model()._default_manager.filter(is_active=True, pk__in=wanted).only("pk", "password")
    return {user.pk: user for user in found}


def _active_passwords(users: Iterable[int | None]) -> dict[int | None, str]:
    rows = get_user_model()._default_manager.filter(is_active=True, pk__in=list(users))
    return dict(rows.values_list("pk", "password"))


def _running_sessions(keys: Iterable[str]) -> dict[str, str]:
    if not (wanted := list(keys)):
        return {}
    rows = Session.objects.filter(session_key__in=wanted, expire_date__gt=timezone.now())
    return dict(rows.values_list("session_key", "session_data"))
