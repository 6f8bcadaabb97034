"""Bodies that hold one JSON object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from recsys.inputs import InputError
from recsys.partners.batches import placed
from recsys.partners.problems import Fault, InvalidInput


def read_object(request: Request, **checks: Callable[[Any], Any]) -> dict[str, Any]:
    """The members that were sent, each as its check returns it; InvalidInput with all that is wrong.

    A check raises InputError. No body at all is an empty object.
    """
    data = request.data or {}
    if not isinstance(data, dict):
        raise ParseError("Send a JSON object.")
    known = ", ".join(checks)
    faults = [
        Fault(field=str(name)[:100], message=f"This is not known here; {known} are.")
        for name in data
        if name not in checks
    ]
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
