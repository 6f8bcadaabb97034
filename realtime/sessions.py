"""Whether connections may stay: their session still exists, and it is still that of an active user."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from channels.db import database_sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare


@dataclass(frozen=True, slots=True)
class Login:
    """Who is connected, by which session, and the fingerprint of the password that the session was made with."""

    user: int
    session: str
    fingerprint: str


@database_sync_to_async
def ended_logins(logins: Collection[Login]) -> set[Login]:
    """Those of the logins that count no more: logged out, expired, deactivated, or the password was changed.

    Two queries for all of them, and no database connection is held afterwards by any socket.
    """
    wanted = {login.session for login in logins}
    sessions = set(
        Session.objects.filter(session_key__in=wanted, expire_date__gt=timezone.now()).values_list(
            "session_key", flat=True
        )
    )
    users = {
        user.pk: user.get_session_auth_hash()
        for user in get_user_model()._default_manager.filter(pk__in={login.user for login in logins}, is_active=True)
    }
    return {
        login
        for login in logins
        if login.session not in sessions or not constant_time_compare(users.get(login.user, ""), login.fingerprint)
    }
