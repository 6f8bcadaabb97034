"""Bodies that hold one JSON object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request

from recsys.accounts.models import User
from recsys.inputs import FieldError, InputError
from recsys.partners.addressing import find_user
from recsys.partners.batches import placed
from recsys.partners.problems import Fault, InvalidInput


def read_object(request: Request, *, needs: Sequence[str] = (), **checks: Callable[[Any], Any]) -> dict[str, Any]:
    """The members that were sent, each as its check returns it; InvalidInput with all that is wrong, or is missing
    though the call `needs` it.

    A check raises InputError. No body at all is an empty object.
    """
    data = request.data
    if not isinstance(data, dict):
        raise ParseError("Send a JSON object.")
    known = ", ".join(checks)
    faults = [
        Fault(field=str(name)[:100], message=f"This is not known here; {known} are.")
        for name in data
        if name not in checks
    ]
    faults += [Fault(field=name, message="This is needed.") for name in needs if name not in data]
    values: dict[str, Any] = {}
    for name, check in checks.items():
        try:
            if name in data:
                values[name] = check(data[name])
        except InputError as error:
            faults += placed(error).faults
    if faults:
        raise InvalidInput(faults[:20])
    return values


def check_person(field: str) -> Callable[[Any], User]:
    """A check of a member that names an active user, by external_id or `id:<number>`."""

    def check(name: Any) -> User:
        try:
            return find_user(check_text(field)(name))
        except NotFound as error:
            raise InputError([FieldError(field, str(error.detail))]) from error

    return check


def check_text(field: str) -> Callable[[Any], str]:
    """A check that a member is text; the action checks the rest."""

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise InputError([FieldError(field, f"This must be text, not {type(value).__name__}.")])
        return value

    return check
