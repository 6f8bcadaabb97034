"""People with sessions, as many as a bench needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import VALID_KEY_CHARS
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone
from django.utils.crypto import get_random_string

from recsys.accounts.models import User

CHUNK = 1000
LASTS = timedelta(days=1)
T = TypeVar("T")


def make_users(prefix: str, number: int) -> list[User]:
    """Users named `<prefix>-0`, `<prefix>-1`… without passwords, in this order; those that are there stay."""
    names = [f"{prefix}-{index}" for index in range(number)]
    people = (User(username=name, password="!") for name in names)  # noqa: S106 (it is one that nothing matches)
    User.objects.bulk_create(people, batch_size=CHUNK, ignore_conflicts=True)
    found = User.objects.in_bulk(names, field_name="username")
    return [found[name] for name in names]


def log_in(users: Sequence[User]) -> list[str]:
    """A new session for each user: what their browsers send as the Cookie header."""
    store = SessionStore()
    until = timezone.now() + LASTS
    sessions = [
        Session(
            session_key=get_random_string(32, VALID_KEY_CHARS),
            session_data=store.encode(_contents(user)),
            expire_date=until,
        )
        for user in users
    ]
    Session.objects.bulk_create(sessions, batch_size=CHUNK)
    return [f"{settings.SESSION_COOKIE_NAME}={session.session_key}" for session in sessions]


def _contents(user: User) -> dict[str, Any]:
    return {
        SESSION_KEY: str(user.pk),
        BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
        HASH_SESSION_KEY: user.get_session_auth_hash(),
    }


def disconnected(work: Callable[[], T]) -> T:
    """Query the database, and let the calling thread keep no connection."""
    try:
        return work()
    finally:
        connection.close()
