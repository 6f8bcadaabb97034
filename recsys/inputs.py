"""What every `check_…` function raises: all that is wrong with one piece of input, field by field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple


class FieldError(NamedTuple):
    """One fault: the field's name as the sender wrote it ("" for the whole), and what to do about it."""

    field: str
    message: str


class InputError(ValueError):
    """Input that cannot be accepted. `errors` names every fault, so that the sender can mend them all at once."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(f"{field}: {message}" if field else message for field, message in self.errors))


def text_fault(value: Any, *, longest: int, required: bool = False) -> str | None:
    """Say what is wrong with `value` as text of at most `longest` characters, or return None.

    NUL and lone surrogates are refused here because PostgreSQL would refuse the whole batch for one of them.
    """
    if not isinstance(value, str):
        return f"This must be text, not {type(value).__name__}."
    if required and not value.strip():
        return "This must not be empty."
    if len(value) > longest:
        return f"This has {len(value)} characters; at most {longest} are allowed."
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        return "This holds a NUL or a broken surrogate; send valid Unicode text."
    return None
