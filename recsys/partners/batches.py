"""Bodies that hold many things of one kind: read all, report every fault, or take all."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rest_framework.exceptions import ParseError

from recsys.inputs import FieldError, InputError
from recsys.partners.addressing import RESERVED
from recsys.partners.problems import Fault, InvalidInput

T = TypeVar("T")

MAX_BATCH = 1000
_PLACE = re.compile(r"\[(?P<index>\d+)\]\.?(?P<field>.*)", re.DOTALL)


def read_rows(data: Any, name: str) -> list[Any]:
    """The list under `name`, which is all that the body may hold."""
    if not isinstance(data, dict):
        raise ParseError(f'Send a JSON object with the list "{name}", such as {{"{name}": […]}}.')
    if unknown := [member for member in data if member != name]:
        raise InvalidInput(
            [
                Fault(field=member[:100], message=f'Only "{name}" is known here; leave it out.')
                for member in unknown[:20]
            ]
        )
    rows = data.get(name)
    if not isinstance(rows, list):
        raise InvalidInput([Fault(field=name, message="A list is needed here.")])
    if len(rows) > MAX_BATCH:
        message = f"There are {len(rows)} elements; send at most {MAX_BATCH} at a time."
        raise InvalidInput([Fault(field=name, message=message)])
    return rows


def check_rows(rows: Sequence[Any], check: Callable[[Any], T]) -> list[T]:
    """`check` of every row; InvalidInput with the faults of all of them."""
    checked: list[T] = []
    faults: list[Fault] = []
    for index, row in enumerate(rows):
        try:
            checked.append(check(row))
        except InputError as error:
            faults += [Fault(index=index, field=fault.field, message=fault.message) for fault in error.errors]
    if faults:
        raise InvalidInput(faults)
    return checked


def with_free_name(check: Callable[[Any], T]) -> Callable[[Any], T]:
    """`check`, and that the row's external id is not of the form that names things by their number."""

    def checked(row: Any) -> T:
        external_id = row.get("external_id") if isinstance(row, dict) else None
        if isinstance(external_id, str) and external_id.strip().startswith(RESERVED):
            raise InputError([FieldError("external_id", f"Names that begin with “{RESERVED}” are reserved.")])
        return check(row)

    return checked


def object_only(check: Callable[[dict[str, Any]], T], what: str) -> Callable[[Any], T]:
    """`check` for what is a JSON object."""

    def checked(row: Any) -> T:
        if not isinstance(row, dict):
            raise InputError([FieldError("", f"Each {what} is a JSON object.")])
        return check(row)

    return checked


def placed(error: InputError) -> InvalidInput:
    """The faults of an action that names rows as `[3].kind`."""
    faults: list[Fault] = []
    for fault in error.errors:
        found = _PLACE.fullmatch(fault.field)
        if found:
            faults.append(Fault(index=int(found["index"]), field=found["field"], message=fault.message))
        else:
            faults.append(Fault(field=fault.field, message=fault.message))
    return InvalidInput(faults)
