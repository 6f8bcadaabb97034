"""Who is at the other end of a socket, and whether that is still so. Reads Django's session and user tables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.contrib import auth
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connections
from django.http import HttpRequest
from django.utils import timezone

CHUNK = 500  # sessions looked up by one statement
# Handshakes and rules of one process that query the database at the same time. Each has a connection for the time of
# its query alone. Channels' own AuthMiddlewareStack does all of them one after the other, in one thread.
_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="realtime-db")
T = TypeVar("T")


async def in_database(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function that queries the database, in a thread that closes its connection afterwards."""

    def call() -> T:
        try:
            return function(*arguments)
        finally:
            connections.close_all()

    return await asyncio.get_running_loop().run_in_executor(_threads, call)


@dataclass(eq=False, slots=True)
class Visitor:
    """A logged-in user and the session that says so."""

    user: Any
    session_key: str
    session_data: str = field(repr=False)

    @property
    def user_id(self) -> int:
        return int(self.user.pk)


def find_visitor(session_key: str) -> Visitor | None:
    """The active user whom the session is of, if it is anybody's."""
    row = _running_sessions([session_key]).get(session_key)
    if row is None:
        return None
    request = HttpRequest()
    request.session = SessionStore(session_key)
    user = auth.get_user(request)
    return Visitor(user, session_key, row) if user.is_authenticated else None


def find_departed(visitors: Sequence[Visitor]) -> list[Visitor]:
    """Those of `visitors` who have logged out since, whose session has expired, or who may not log in any more."""
    sessions: dict[str, str] = {}
    users: dict[int, tuple[bool, str]] = {}
    for start in range(0, len(visitors), CHUNK):
        chunk = visitors[start : start + CHUNK]
        sessions |= _running_sessions({visitor.session_key for visitor in chunk})
        rows = get_user_model()._default_manager.filter(pk__in={visitor.user_id for visitor in chunk})
        users |= {pk: (active, password) for pk, active, password in rows.values_list("pk", "is_active", "password")}
    return [visitor for visitor in visitors if not _is_still_there(visitor, sessions, users)]


def _is_still_there(visitor: Visitor, sessions: dict[str, str], users: dict[int, tuple[bool, str]]) -> bool:
    # A new password ends all other sessions of its user; the one that set it has got a new key.
    if users.get(visitor.user_id) != (True, visitor.user.password):
        return False
    data = sessions.get(visitor.session_key)
    if data is None:
        return False
    if data == visitor.session_data:
        return True
    contents = SessionStore().decode(data)
    if contents.get(SESSION_KEY) != str(visitor.user.pk) or HASH_SESSION_KEY not in contents:
        return False
    visitor.session_data = data
    return True


def _running_sessions(keys: Iterable[str]) -> dict[str, str]:
    rows = Session.objects.filter(session_key__in=list(keys), expire_date__gt=timezone.now())
    return dict(rows.values_list("session_key", "session_data"))


async def watch(visitors: Callable[[], list[Visitor]], dismiss: Callable[[Visitor], None], interval: float) -> None:
    """Every `interval` seconds, dismiss those of the current visitors who have departed; until cancelled."""
    while True:
        await asyncio.sleep(interval)
        if present := visitors():
            for visitor in await in_database(find_departed, present):
                dismiss(visitor)
