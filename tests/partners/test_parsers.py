from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ParseError
from rest_framework.test import APIClient

from recsys.partners.parsers import MAX_DEPTH, parse_json
from tests.partners.assertions import assert_problem

ADDRESS = "/api/v1/items"

REFUSED = {
    "blank": (b" \n", "empty"),
    "half": (b'{"items": [', "line 1"),
    "trailing": (b"{} x", "Extra data"),
    "bare word": (b"items", "Malformed"),
    "not UTF-8": (b'{"items": "\xff"}', "UTF-8"),
    "UTF-16": ('{"items": []}'.encode("utf-16"), "UTF-8"),
    "byte order mark": (b'\xef\xbb\xbf{"items": []}', "BOM"),
    "NaN": (b'{"items": [{"attributes": {"a": NaN}}]}', "NaN"),
    "Infinity": (b'{"items": -Infinity}', "Infinity"),
    "a float beyond floats": (b'{"items": 1e999}', "out of range"),
    "an integer beyond 64 bits": (b'{"items": 18446744073709551616}', "out of range"),
    "a very long integer": (b'{"items": ' + b"9" * 100_000 + b"}", "out of range"),
    "one name twice": (b'{"items": [], "items": []}', "two members"),
    "one name twice, deep": (b'{"items": [{"title": "a", "title": "b"}]}', "title"),
    "NUL": (b'{"items": [{"title": "a\\u0000"}]}', "u0000"),
    "NUL in a name": (b'{"a\\u0000": 1}', "u0000"),
    "half a surrogate pair": (b'{"items": [{"title": "\\ud800"}]}', "ud800"),
    "the other half": (b'{"items": [{"title": "\\uDFFF"}]}', "udfff"),
    "a raw control character": (b'{"items": "a\x00"}', "Malformed"),
    "too deep in lists": (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "levels"),
    "very deep": (b"[" * 200_000, "levels"),
    "very deep in objects": (b'{"a":' * 200_000, "levels"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(api: APIClient, name: str) -> None:
    body, word = REFUSED[name]
    assert_problem(api.post(ADDRESS, body, content_type="application/json"), 400, word)


@pytest.mark.django_db
def test_no_body_at_all(api: APIClient) -> None:
    assert_problem(api.post(ADDRESS, b"", content_type="application/json"), 422, "items")


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\\\u0000"', "\\u0000"),
        (b'"[[[[[[[[[[[[[[[[[[[[[[[[[["', "[" * 26),
        (b'"\\"[[[[[[[[[[[[[[[[[[[[[[[[["', '"' + "[" * 25),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
        (b"[9223372036854775807, -9223372036854775808]", [2**63 - 1, -(2**63)]),
        (b'{"a": 1.5e3}', {"a": 1500.0}),
    ],
)
def test_what_is_read(body: bytes, value: Any) -> None:
    parsed = parse_json(body)
    assert value is None or parsed == value


@pytest.mark.parametrize(
    "body",
    [
        b'"' + b'\\"' * 2_000_000,
        b"[" + b"[]," * 1_000_000,
        b"{" + b",".join(b'"%d":1' % number for number in range(300_000)) + b',"7":1}',
        b'"' * 2_000_001,
        b"\\" * 2_000_000,
    ],
    ids=["escapes", "siblings", "one name twice among many", "quotes", "backslashes"],
)
def test_reading_takes_time_in_proportion(body: bytes) -> None:
    started = time.process_time()
    with pytest.raises(ParseError):
        parse_json(body)
    assert time.process_time() - started < 5


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(ParseError):
        parse_json(body)


@pytest.mark.django_db
def test_a_body_over_the_limit_is_refused(api: APIClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = b'{"items": [' + b" " * 1000 + b"]}"
    assert_problem(api.post(ADDRESS, body, content_type="application/json"), 413, "1,000 bytes")
    body = b'{"items": [' + b" " * 900 + b"]}"
    assert api.post(ADDRESS, body, content_type="application/json").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "x"])
def test_other_media_types_are_refused(api: APIClient, content_type: str) -> None:
    assert_problem(api.post(ADDRESS, b"{}", content_type=content_type), 415)
