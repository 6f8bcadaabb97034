"""Reading a request's body without letting it do harm.

A body is bounded in size and in depth before it is parsed, and what PostgreSQL cannot store (NUL, lone surrogates) or
JSON does not have (NaN, Infinity, two members of one name) is refused with a message that says where it is.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

MAX_DEPTH = 20
INTEGERS = range(-(2**63), 2**63)
# Possessive, and content to end without its closing quote: linear in the length of whatever is sent.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_SUSPECT = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class TooLarge(APIException):
    """The body is over the limit."""

    status_code = 413
    default_code = "too_large"


class BoundedJSONParser(BaseParser):
    """Strict JSON within bounds; ParseError or TooLarge otherwise."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        return parse_json(_read(stream))


def parse_json(body: bytes) -> Any:
    """The value of `body`; ParseError that says what is wrong and where."""
    if not body.strip():
        raise ParseError("The body is empty; send a JSON object.")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise ParseError(f"The body is not UTF-8: byte {error.start} is invalid. Encode it as UTF-8.") from error
    if _depth(body) > MAX_DEPTH:
        raise ParseError(f"The JSON is nested more than {MAX_DEPTH} levels deep; flatten it.")
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_refuse_constant, parse_int=_integer, parse_float=_number
        )
    except json.JSONDecodeError as error:
        raise ParseError(f"Malformed JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from error
    if _SUSPECT.search(text):
        _refuse_unstorable(value)
    return value


def _read(stream: Any) -> bytes:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body: bytes = stream.read(limit + 1)
    if len(body) > limit:
        raise TooLarge(f"The body is larger than {limit:,} bytes; send it in smaller batches.")
    return body


def _depth(body: bytes) -> int:
    """How deep the brackets outside strings go."""
    marks = np.frombuffer(_STRING.sub(b"", body), dtype=np.uint8)
    opening = np.isin(marks, np.frombuffer(b"[{", dtype=np.uint8)).astype(np.int8)
    closing = np.isin(marks, np.frombuffer(b"]}", dtype=np.uint8)).astype(np.int8)
    return int(np.cumsum(opening - closing, dtype=np.int32).max(initial=0))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ParseError(f"An object has two members named {twice[:100]!r}; keep one of them.")
    return value


def _integer(digits: str) -> int:
    if len(digits) > 20 or int(digits) not in INTEGERS:
        raise ParseError(f"The number {digits[:30]} is out of range: integers have at most 64 bits.")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ParseError(f"The number {digits[:30]} is out of range: it is beyond a 64-bit float.")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ParseError(f"{name} is not JSON; leave the member out or send null.")


def _refuse_unstorable(value: Any) -> None:
    """Look into every string, now that an escape may have made a character that cannot be stored."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, list):
            waiting += part
        elif isinstance(part, str) and (found := _UNSTORABLE.search(part)):
            raise ParseError(f"A text holds \\u{ord(found[0]):04x}, which cannot be stored; remove it from the text.")
