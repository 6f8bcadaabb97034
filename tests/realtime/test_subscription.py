from __future__ import annotations

import orjson
import pytest

from realtime import subscription as module
from realtime.news import News
from realtime.scripts import Position
from realtime.subscription import Subscription


@pytest.fixture
def reader() -> Subscription:
    subscription = Subscription('1"', "news", "")
    subscription.positions = {"a": Position(5, 3), "b": Position(6, 0)}
    return subscription


def events(*numbers: int) -> list[bytes]:
    return [b'{"type":"t","n":%d}' % number for number in numbers]


def frame(subscription: Subscription) -> dict | None:
    message = subscription.take_message()
    return orjson.loads(message.text) if message else None


def test_what_is_new_goes_out_in_one_message_with_the_position_after_it(reader):
    reader.take("a", News(events(4), Position(5, 4)))
    reader.take("b", News(events(1), Position(6, 1)))
    assert frame(reader) == {
        "type": "events",
        "id": '1"',
        "events": [{"type": "t", "n": 4}, {"type": "t", "n": 1}],
        "position": "a=5.4~b=6.1",
    }
    assert not reader.has_news
    assert frame(reader) is None


def test_what_the_reader_has_already_is_left_out(reader):
    """The hub reads for all readers from where the last of them is."""
    reader.take("a", News(events(2, 3, 4, 5), Position(5, 5)))
    assert [event["n"] for event in frame(reader)["events"]] == [4, 5]
    reader.take("a", News(events(4, 5), Position(5, 5)))
    assert not reader.has_news


@pytest.mark.parametrize("until", [Position(5, 9), Position(8, 1)])
def test_a_gap_or_another_epoch_is_a_resync_from_the_new_position(reader, until):
    reader.take("a", News(events(1), until))
    assert frame(reader) == {"type": "resync", "id": '1"', "position": f"a={until.epoch}.{until.offset}~b=6.0"}


def test_an_older_epoch_is_old_news(reader):
    reader.take("a", News(events(9), Position(4, 100)))
    assert not reader.has_news


@pytest.mark.parametrize(("limit", "value"), [("MAX_PENDING_EVENTS", 3), ("MAX_PENDING_BYTES", 60)])
def test_a_reader_who_takes_nothing_costs_a_bounded_amount_and_is_told_to_reload(reader, monkeypatch, limit, value):
    monkeypatch.setattr(module, limit, value)
    for offset in range(4, 10):
        reader.take("a", News(events(offset), Position(5, offset)))
        assert len(reader._events) <= 3
    assert frame(reader) == {"type": "resync", "id": '1"', "position": "a=5.9~b=6.0"}
    reader.take("a", News(events(10), Position(5, 10)))
    assert frame(reader)["type"] == "events"


def test_a_resubscribe_event_is_for_the_server_alone(reader):
    told = b'{"type":"resubscribe","position":"c=1.1"}'
    reader.take("a", News([told, *events(5)], Position(5, 5)))
    assert reader.renewal == "c=1.1"
    assert [event["n"] for event in frame(reader)["events"]] == [5]


def test_an_event_that_merely_speaks_of_it_is_an_event(reader):
    reader.take("a", News([b'{"type":"t","text":"resubscribe"}'], Position(5, 4)))
    assert reader.renewal is None
    assert frame(reader)["events"] == [{"type": "t", "text": "resubscribe"}]


def test_the_answer_speaks_of_the_old_position_while_news_follow(reader):
    assert orjson.loads(reader.subscribed_message("").text)["position"] == "a=5.3~b=6.0"
    reader.add("a", News(events(3)))
    assert orjson.loads(reader.subscribed_message("a=5.2~b=6.0").text)["position"] == "a=5.2~b=6.0"
    reader.lose({})
    assert orjson.loads(reader.subscribed_message('forged"}').text)["position"] == 'forged"}', "else it is not told"


def test_what_was_read_from_where_the_reader_is_needs_no_counting(reader):
    reader.take("a", News(events(4, 5), Position(5, 5), since=Position(5, 3)))
    assert [event["n"] for event in frame(reader)["events"]] == [4, 5]
    assert reader.positions["a"] == Position(5, 5)


def test_what_is_too_long_for_one_message_comes_in_parts_and_the_position_with_the_last(reader, monkeypatch):
    monkeypatch.setattr(module, "MAX_FRAME", 100)
    reader.take("a", News(events(*range(4, 24)), Position(5, 23)))
    got: list[int] = []
    while message := frame(reader):
        assert len(orjson.dumps(message["events"])) <= 60
        got += [event["n"] for event in message["events"]]
        assert ("position" in message) is (got[-1] == 23)
    assert got == list(range(4, 24))
