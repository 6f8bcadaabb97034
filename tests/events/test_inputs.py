from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.events.inputs import FIELDS, EventInput, check_event, occurred_at_fault
from recsys.inputs import InputError

GOOD: dict[str, Any] = {"event_id": "e1", "user": "ana", "item": "heat", "kind": "view"}
KNOWN: dict[str, Any] = {"users": {"ana": 1}, "items": {"heat": 2}}


def faults(**fields: object) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as refused:
        check_event(GOOD | fields, **KNOWN)
    return [(error.field, error.message) for error in refused.value.errors]


def test_takes_a_complete_event():
    slate = uuid.uuid4()
    now = datetime.now(UTC)
    more = {"kind": "rate", "value": 4, "occurred_at": now.isoformat(), "region": "gb", "recommendation_id": str(slate)}
    assert check_event(GOOD | more, **KNOWN) == EventInput("e1", 1, 2, "rate", 4.0, now, "GB", slate)


def test_what_is_left_out_is_decided_later():
    assert check_event(GOOD, **KNOWN) == EventInput("e1", 1, 2, "view")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("event_id", None, "must not be empty"),
        ("event_id", 5, "must be text"),
        ("event_id", "x" * 65, "at most 64"),
        ("event_id", "\x00", "NUL"),
        ("user", "ben", "There is no user 'ben'. Send the user first."),
        ("user", ["ana"], "must be text"),
        ("item", "ronin", "There is no item 'ronin'. Send the item first."),
        ("item", "\ud800", "surrogate"),
        ("kind", "buy", "one of view, click, like"),
        ("kind", None, "one of view"),
        ("kind", ["view"], "one of view"),
        ("value", 3, "Only a rate event has a value"),
        ("occurred_at", "soon", "date and time"),
        ("occurred_at", 5, "date and time"),
        ("region", "ZZ", "Unknown region"),
        ("region", 5, "must be text"),
        ("recommendation_id", "x", "recommendation_id of a slate"),
        ("recommendation_id", 7, "recommendation_id of a slate"),
        ("colour", "red", "no such field"),
    ],
)
def test_says_what_is_wrong_with_a_field(field, value, says):
    [(name, message)] = faults(**{field: value})
    assert name == field
    assert says in message


@pytest.mark.parametrize("value", [None, 0, 0.49, 5.01, -1, 10**400, float("nan"), float("inf"), "4", True, [4]])
def test_a_rating_must_be_one(value):
    [(name, message)] = faults(kind="rate", value=value)
    assert name == "value"
    assert "0.5, 1, 1.5" in message


@pytest.mark.parametrize("value", [0.5, 5, 3.5])
def test_ratings_from_half_a_star_to_five(value):
    assert check_event(GOOD | {"kind": "rate", "value": value}, **KNOWN).value == value


def test_names_every_fault_at_once():
    assert [name for name, _ in faults(user="x", kind="y", occurred_at="z")] == ["kind", "user", "occurred_at"]


@pytest.mark.parametrize("data", [None, 5, "x", [], [GOOD]])
def test_an_event_must_be_an_object(data):
    with pytest.raises(InputError, match="JSON object"):
        check_event(data, **KNOWN)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


@given(st.dictionaries(st.sampled_from([*FIELDS, "other"]), json_values))
def test_whatever_comes_is_taken_or_refused(data):
    with pytest.raises(InputError):  # no event can be good: nobody is called what the strategy draws
        check_event(data, users={}, items={})


def test_the_bounds_of_time():
    now = datetime(2026, 11, 21, tzinfo=UTC)
    assert occurred_at_fault(now + timedelta(hours=23), now) is None
    assert occurred_at_fault(now + timedelta(hours=25), now)
    assert occurred_at_fault(datetime(2024, 11, 1, tzinfo=UTC), now) is None
    assert occurred_at_fault(datetime(2024, 10, 31, tzinfo=UTC), now)
