from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.catalog.inputs import ItemInput, check_item, check_moment
from recsys.inputs import InputError

GOOD: dict[str, Any] = {"external_id": "film/949", "title": "Heat"}


def faults(**fields: object) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as refused:
        check_item(GOOD | fields)
    return [(error.field, error.message) for error in refused.value.errors]


def test_takes_a_complete_item():
    item = check_item(
        {
            **GOOD,
            "kind": "film",
            "description": "Cops and robbers.",
            "category": "Crime",
            "tags": ["heist", " los angeles ", "heist", " "],
            "regions": ["gb", "us_ca"],
            "url": "https://films.example/949?a=1",
            "image_url": "http://films.example/949.jpg",
            "attributes": {"year": 1995, "cast": ["De Niro", {"as": "Neil"}]},
            "is_available": False,
            "published_at": "1995-12-15T01:00:00+01:00",
        }
    )
    assert item.tags == ("heist", "los angeles")
    assert item.regions == ("GB", "US-CA")
    assert item.published_at == datetime(1995, 12, 15, tzinfo=UTC)
    assert item.attributes["year"] == 1995
    assert not item.is_available


def test_what_is_left_out_or_null_is_empty():
    assert check_item(GOOD) == ItemInput(external_id="film/949", title="Heat")
    assert check_item({**GOOD, "tags": None, "url": None, "published_at": None}) == check_item(GOOD)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("external_id", None, "must not be empty"),
        ("external_id", "", "must not be empty"),
        ("external_id", "x" * 129, "at most 128"),
        ("external_id", 949, "must be text, not int"),
        ("title", " ", "must not be empty"),
        ("title", "x" * 301, "at most 300"),
        ("title", "He\x00at", "NUL"),
        ("description", "\ud800", "surrogate"),
        ("description", "x" * 10_001, "at most 10000"),
        ("kind", "x" * 33, "at most 32"),
        ("tags", "heist", "list of texts"),
        ("tags", ["x"] * 51, "at most 50"),
        ("tags", ["x" * 101], "at most 100"),
        ("tags", [7], "not int"),
        ("tags", ["\x00"], "NUL"),
        ("regions", ["ZZ"], "ZZ: Unknown region"),
        ("url", "javascript:alert(1)", "http://"),
        ("url", "data:text/html,x", "http://"),
        ("url", "/949", "http://"),
        ("url", "https://", "http://"),
        ("url", "https://[::1", "http://"),
        ("url", "https://a b", "http://"),
        ("image_url", "ftp://films.example/949", "http://"),
        ("attributes", [1], "JSON object, not list"),
        ("attributes", {"x": float("nan")}, "finite"),
        ("attributes", {"x": "\x00"}, "NUL"),
        ("attributes", {"\ud800": 1}, "surrogate"),
        ("attributes", {"x": "y" * 10_000}, "at most 10000"),
        ("attributes", {"x": object()}, "JSON does not know"),
        ("is_available", "yes", "true or false"),
        ("is_available", None, "true or false"),
        ("published_at", "yesterday", "date and time"),
        ("published_at", "2026-13-01T00:00:00Z", "date and time"),
        ("published_at", 5, "date and time"),
    ],
)
def test_says_what_is_wrong_with_a_field(field, value, says):
    [(name, message)] = faults(**{field: value})
    assert name == field
    assert says in message


def test_names_every_fault_at_once():
    assert [name for name, _ in faults(title="", url="x", colour="red")] == ["colour", "title", "url"]


def test_deep_attributes_are_refused_without_exhausting_the_stack():
    deep: Any = {}
    for _ in range(100_000):
        deep = {"x": deep}
    [(name, message)] = faults(attributes=deep)
    assert name == "attributes"
    assert "levels deep" in message
    while deep:  # or freeing it would recurse as deeply
        deep = deep["x"]


@pytest.mark.parametrize("data", [None, 5, "x", []])
def test_an_item_must_be_an_object(data):
    with pytest.raises(InputError, match="JSON object"):
        check_item(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from([*ItemInput.__dataclass_fields__, "other"]), json_values))
def test_whatever_comes_is_taken_or_refused(data):
    try:
        item = check_item(data)
    except InputError:
        return
    assert json.dumps(item.attributes, allow_nan=False).isprintable()
    assert "\x00" not in item.title


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_moments_at_the_ends_of_time_are_none(value):
    assert check_moment(value) is None
