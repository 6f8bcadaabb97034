"""Reads about people."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db.models import Q

from recsys.accounts.models import User


def user_named(username: str, *, active: bool = True) -> User | None:
    """The user of this name, of those who are active unless told otherwise.

    Sign-up stores names in lower case; others may come from the admin as written.
    """
    if "\x00" in username:  # which PostgreSQL would not even compare
        return None
    found = User.objects.filter(username__in={username, username.lower()})
    users = {user.username: user for user in (found.filter(is_active=True) if active else found)}
    return users.get(username) or users.get(username.lower())


def user_ids(external_ids: Iterable[str]) -> dict[str, int]:
    """The primary keys of the users whom a partner names, in one query; the unknown are left out."""
    known = User.objects.filter(external_id__in=set(external_ids)).values_list("external_id", "pk")
    return {str(external_id): pk for external_id, pk in known}


def showing_presence(users: Collection[int]) -> set[int]:
    """Those of `users` whose followers may see when they are online, in one query."""
    shown = User.objects.filter(pk__in=users, is_active=True, shows_presence=True)
    return set(shown.values_list("pk", flat=True))


def staff_among(external_ids: Iterable[str]) -> set[str]:
    """Those of `external_ids` that are staff's, in one query."""
    staff = User.objects.filter(Q(is_staff=True) | Q(is_superuser=True), external_id__in=set(external_ids))
    return {str(external_id) for external_id in staff.values_list("external_id", flat=True)}
