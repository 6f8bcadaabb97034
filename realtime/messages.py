"""What clients send over a socket: JSON objects of texts, checked here.

{"type": "subscribe", "id": "1", "kind": "timeline", "arg": "", "position": "<token>"}    answered by "subscribed"
{"type": "unsubscribe", "id": "1"}
{"type": "ping"}                                                                         answered by "pong"
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from realtime.limits import MAX_FRAME
from realtime.tokens import LONGEST

LONGEST_TEXT = {"type": 20, "id": 64, "kind": 64, "arg": 200, "position": LONGEST}
REQUIRED = {"subscribe": ("id", "kind"), "unsubscribe": ("id",), "ping": ()}


class MessageError(ValueError):
    """A message that is none of ours; its text says what is wrong with it. `id` is the subscription's, where known."""

    def __init__(self, message: str, subscription: str = "") -> None:
        super().__init__(message)
        self.subscription = subscription


@dataclass(frozen=True, slots=True)
class Message:
    type: str
    id: str = ""
    kind: str = ""
    arg: str = ""
    position: str = ""


def check_message(text: str) -> Message:
    """The message in `text`; MessageError where it is none."""
    if len(text) > MAX_FRAME:
        raise MessageError(f"The message is longer than {MAX_FRAME} bytes.")
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MessageError(f"The message is not JSON: {error}.") from None
    if not isinstance(data, dict):
        raise MessageError('A message is a JSON object, such as {"type": "ping"}.')
    fields = {name: _text(data, name) for name in LONGEST_TEXT}
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
