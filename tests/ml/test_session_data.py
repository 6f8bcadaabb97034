from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.session_data import as_ids, concatenate, from_arrays, item_sequences, next_item_queries, split_last

rows = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.integers(0, 20)), max_size=30)


def events_of(found):
    columns = np.array(found, dtype=np.int64).reshape(-1, 3)
    return from_arrays(columns[:, 0], columns[:, 1], columns[:, 2])


def as_rows(events):
    return list(zip(events.sessions.tolist(), events.items.tolist(), events.times.tolist(), strict=True))


@given(rows)
def test_events_are_in_the_order_of_time_and_else_as_given(found):
    assert as_rows(events_of(found)) == sorted(found, key=lambda row: row[2])


@given(rows, rows)
def test_concatenated_events_are_those_of_both(first, second):
    both = concatenate(events_of(first), events_of(second))
    assert len(both) == len(first) + len(second)
    assert sorted(as_rows(both)) == sorted(first + second)
    assert (np.diff(both.times) >= 0).all()


@given(rows)
def test_sequences_and_queries_are_those_of_a_plain_loop(found):
    sessions = {}
    for session, item, _ in sorted(found, key=lambda row: row[2]):
        sessions.setdefault(session, []).append(item)
    plain = [sessions[session] for session in sorted(sessions)]
    assert [sequence.tolist() for sequence in item_sequences(events_of(found))] == plain
    expected = [(sequence[:n], sequence[n]) for sequence in plain for n in range(1, len(sequence))]
    assert [(prefix.tolist(), item) for prefix, item in next_item_queries(events_of(found))] == expected


def test_the_last_sessions_are_held_out_whole():
    events = from_arrays([1, 2, 1, 3, 2, 4], [10, 11, 12, 13, 14, 15], [0, 1, 2, 3, 9, 4])
    train, held_out = split_last(events, 0.5)
    assert set(held_out.sessions.tolist()) == {2, 4}
    assert held_out.items.tolist() == [11, 15, 14]
    assert train.items.tolist() == [10, 12, 13]


@given(rows, st.floats(0.05, 0.95))
def test_a_split_parts_sessions_and_loses_nothing(found, share):
    events = events_of(found)
    train, held_out = split_last(events, share)
    assert not set(train.sessions.tolist()) & set(held_out.sessions.tolist())
    assert sorted(as_rows(train) + as_rows(held_out)) == sorted(found)
    if len(train) and len(held_out):
        last = {session: time for session, _, time in as_rows(events)}
        assert max(last[one] for one in train.sessions.tolist()) <= min(last[one] for one in held_out.sessions.tolist())


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_refuses_a_share_that_is_none(share):
    with pytest.raises(ValueError, match="share"):
        split_last(events_of([]), share)


@pytest.mark.parametrize(
    ("sessions", "items", "times", "message"),
    [
        ([1], [1, 2], [0, 1], "same length"),
        ([[1]], [[1]], [[0]], "one dimension"),
        ([1], [1], [np.nan], "finite"),
        ([1], [1], [np.inf], "finite"),
        ([1], [-1], [0], "0 or more"),
        ([1.5], [1], [0], "Session ids must be whole"),
        ([1], ["a"], [0], "Item ids must be whole"),
    ],
)
def test_refuses_what_are_no_events(sessions, items, times, message):
    with pytest.raises(ValueError, match=message):
        from_arrays(sessions, items, times)


def test_no_ids_are_ids_too():
    assert as_ids([]).dtype == np.int64
    assert item_sequences(from_arrays([], [], [])) == []
