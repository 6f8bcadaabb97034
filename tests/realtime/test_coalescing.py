from __future__ import annotations

import orjson
import pytest

from realtime import coalescing, subscription
from realtime.coalescing import coalesce, latest
from realtime.news import News
from realtime.scripts import Position
from realtime.subscription import Subscription


def union(events):
    numbers = [number for event in events for number in event.get("numbers", [event.get("number")])]
    return {"type": "numbers", "numbers": numbers}


@pytest.fixture(autouse=True)
def _merges(monkeypatch) -> None:
    monkeypatch.setattr(coalescing, "_merges", {})
    coalescing.register(["count"], latest)
    coalescing.register(["number", "numbers"], union)


def merged(*events: dict) -> list[dict]:
    return [orjson.loads(event) for event in coalesce([orjson.dumps(event).decode() for event in events])]


def test_the_last_of_those_that_say_all_is_left_for_each_key():
    assert merged(
        {"type": "count", "key": 1, "n": 1},
        {"type": "other"},
        {"type": "count", "key": 2, "n": 1},
        {"type": "count", "key": 1, "n": 2},
    ) == [{"type": "other"}, {"type": "count", "key": 2, "n": 1}, {"type": "count", "key": 1, "n": 2}]


def test_what_was_registered_apart_is_not_merged_together():
    """Another app's events about the same thing say something else of it."""
    coalescing.register(["edited", "deleted"], latest)
    edited, deleted = {"type": "edited", "key": 1}, {"type": "deleted", "key": 1}
    counts = [{"type": "count", "key": 1, "n": n} for n in (1, 2)]
    assert merged(counts[0], edited, counts[1]) == [edited, counts[1]]
    assert merged(counts[0], edited, deleted, counts[1]) == [deleted, counts[1]]


def test_what_was_merged_is_merged_again():
    first = merged({"type": "number", "number": 1}, {"type": "number", "number": 2})
    assert first == [{"type": "numbers", "numbers": [1, 2]}]
    assert merged(*first, {"type": "number", "number": 3}) == [{"type": "numbers", "numbers": [1, 2, 3]}]


def test_what_nobody_can_merge_stays_in_its_order():
    assert merged({"type": "a"}, {"type": "b"}, {"type": "a"}) == [{"type": "a"}, {"type": "b"}, {"type": "a"}]


def test_two_ways_to_merge_a_type_are_an_error():
    with pytest.raises(ValueError, match="already"):
        coalescing.register(["count"], union)


def test_a_slow_reader_gets_fewer_events_before_being_told_to_reload(monkeypatch):
    monkeypatch.setattr(subscription, "COALESCED", 5)
    monkeypatch.setattr(subscription, "MAX_PENDING_EVENTS", 8)
    reader = Subscription("1", "news", "")
    reader.positions = {"a": Position(1, 0)}
    for offset in range(1, 40):
        reader.take("a", News([orjson.dumps({"type": "number", "number": offset})], Position(1, offset)))
        assert len(reader._events) <= 12
    message = orjson.loads(reader.take_message().text)
    assert message["type"] == "events"
    numbers = [number for event in message["events"] for number in event.get("numbers", [event.get("number")])]
    assert numbers == list(range(1, 40))
    for offset in range(40, 60):
        reader.take("a", News([b'{"type":"unlike"}'], Position(1, offset)))
    assert orjson.loads(reader.take_message().text)["type"] == "resync"
