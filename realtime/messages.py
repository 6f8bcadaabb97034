"""What clients send: JSON objects of texts, checked here. docs/realtime.md describes each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from realtime.access import MAX_LENGTH
from realtime.limits import MAX_FRAME
from realtime.tokens import LONGEST

LONGEST_TEXT = {"type": 20, "id": 64, "kind": 64, "arg": 500, "position": LONGEST, "token": MAX_LENGTH, "name": 64}
REQUIRED = {
    "subscribe": ("id", "kind"),
    "unsubscribe": ("id",),
    "authenticate": ("token",),
    "signal": ("kind", "name"),
    "ping": (),
}


class MessageError(ValueError):
    """A message that is not followed; its text says why, and `code` of which kind that is.

    `subscription` is the id of the one that it is about, where known.
    """

    def __init__(self, message: str, subscription: str = "", code: str = "invalid") -> None:
        super().__init__(message)
        self.subscription = subscription
        self.code = code

    def answer(self) -> dict[str, str]:
        """The message that says so."""
        answer = {"type": "error", "code": self.code, "message": str(self)}
        return answer | {"id": self.subscription} if self.subscription else answer


@dataclass(frozen=True, slots=True)
class Message:
    type: str
    id: str = ""
    kind: str = ""
    arg: str = ""
    position: str = ""
    token: str = field(default="", repr=False)
    name: str = ""


def check_message(text: str) -> Message:
    """The message in `text`; MessageError where it is none."""
    if len(text) > MAX_FRAME:
        raise MessageError(f"The message is longer than {MAX_FRAME} bytes.")
    return check_fields(read_object(text))


def read_object(text: str | bytes) -> dict[str, Any]:
    """The JSON object in `text`; MessageError where it is none."""
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MessageError(f"The message is not JSON: {error}.") from None
    if not isinstance(data, dict):
        raise MessageError('A message is a JSON object, such as {"type": "ping"}.')
    return data


def check_fields(data: dict[str, Any], type_: str = "") -> Message:
    """The message in these fields (of type `type_`, where they need not say it); MessageError where it is none."""
    fields = {name: _text(data, name) for name in LONGEST_TEXT} | ({"type": type_} if type_ else {})
    if fields["type"] not in REQUIRED:
        raise MessageError(f'"type" is one of {", ".join(REQUIRED)}, not {fields["type"]!r}.', fields["id"])
    for name in REQUIRED[fields["type"]]:
        if not fields[name]:
            raise MessageError(f'A message of type "{fields["type"]}" has a text "{name}".', fields["id"])
    return Message(**fields)


def _text(data: dict[str, object], name: str) -> str:
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MessageError(f'"{name}" is a text, not {type(value).__name__}.')
    if len(value) > LONGEST_TEXT[name]:
        raise MessageError(f'"{name}" has at most {LONGEST_TEXT[name]} characters.')
    if any(ord(character) < 32 for character in value):
        raise MessageError(f'"{name}" has no control characters.')
    return value
