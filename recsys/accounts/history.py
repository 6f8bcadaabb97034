"""What the admin remembers of people who are erased: what they did as staff, and what was done about them, unnamed."""

from __future__ import annotations

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from recsys.accounts.models import User

# Stands for all staff whose accounts were erased. Nobody can sign up under it: usernames hold no spaces.
FORMER_STAFF = "a former member of staff"
ERASED = "an erased account"


def is_former_staff(user: User) -> bool:
    """Whether this is the account that stands for those who are gone, which nobody may edit or erase."""
    return user.username == FORMER_STAFF


def do_anonymise_history(*, user: User) -> None:
    """Keep what `user` changed as staff, and what was done about their account, without telling who that was."""
    done = LogEntry.objects.filter(user=user)
    if done.exists():
        done.update(user=_former_staff())
    kinds = ContentType.objects.get_for_models(*_about_people()).values()
    LogEntry.objects.filter(content_type__in=kinds, object_id=str(user.pk)).update(object_repr=ERASED)


def _former_staff() -> User:
    absent = {"is_active": False, "password": "!"}  # what no password gives
    return User.objects.get_or_create(username=FORMER_STAFF, defaults=absent)[0]


def _about_people() -> list[type[Model]]:
    """The accounts, and what has the account of somebody for its key."""
    return [
        model
        for model in apps.get_models()
        if model is User or getattr(model._meta.pk.remote_field, "model", None) is User
    ]
