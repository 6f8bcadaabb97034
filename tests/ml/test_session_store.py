from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.session_data import from_arrays
from ml.session_store import SessionStore
from ml.transitions import TransitionGraph

rows = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 12)), max_size=25)


def store_of(max_sessions=3, max_session_length=4):
    graph = TransitionGraph(window=2, neighbours=5, max_transitions=10)
    return graph, SessionStore(graph, max_sessions, max_session_length)


def events_of(found):
    columns = np.array(found, dtype=np.int64).reshape(-1, 3)
    return from_arrays(columns[:, 0], columns[:, 1], columns[:, 2])


def assert_same(store, graph, other_store, other_graph):
    ours, theirs = store.to_arrays(), other_store.to_arrays()
    assert {name: array.tolist() for name, array in ours.items()} == {n: a.tolist() for n, a in theirs.items()}
    assert graph.items == other_graph.items
    assert graph.n_transitions == other_graph.n_transitions
    for item in graph.items:
        for walk in ("following", "preceding", "two_steps"):
            for found, expected in zip(getattr(graph, walk)(item), getattr(other_graph, walk)(item), strict=True):
                assert found.tolist() == expected.tolist()


@given(rows, st.sampled_from([(3, 4), (100, 100)]))
def test_the_graph_is_always_that_of_the_kept_sessions(found, bounds):
    graph, store = store_of(*bounds)
    for one in found:  # in any order of time, one by one
        store.update(events_of([one]))
    expected, _ = store_of()
    kept = store.to_arrays()
    for sequence in np.split(kept["items"], np.cumsum(kept["lengths"])[:-1]):
        expected.count_sequence(sequence.tolist())
    assert graph.items == expected.items
    for item in graph.items:
        assert graph.following(item)[1].tolist() == expected.following(item)[1].tolist()
        assert graph.two_steps(item)[1].tolist() == expected.two_steps(item)[1].tolist()


@given(rows, st.integers(0, 25))
def test_a_stream_in_parts_is_a_stream(found, place):
    stream = sorted(found, key=lambda row: row[2])
    graph, store = store_of()
    store.update(events_of(stream))
    parts_graph, parts = store_of()
    parts.update(events_of(stream[:place]))
    parts_graph.warm()
    parts.update(events_of(stream[place:]))
    assert_same(parts, parts_graph, store, graph)


@given(rows, st.randoms(use_true_random=False))
def test_late_events_find_their_place(found, random):
    distinct = [(session, item, time) for time, (session, item, _) in enumerate(found)]
    shuffled = random.sample(distinct, len(distinct))
    _, store = store_of(100, 100)
    store.update(events_of(distinct))
    _, late = store_of(100, 100)
    for one in shuffled:
        late.update(events_of([one]))

    def sessions(arrays):
        parts = np.split(arrays["items"], np.cumsum(arrays["lengths"])[:-1]) if len(arrays["lengths"]) else []
        return {session: part.tolist() for session, part in zip(arrays["sessions"].tolist(), parts, strict=True)}

    assert sessions(late.to_arrays()) == sessions(store.to_arrays())


@given(rows)
def test_a_stream_that_repeats_itself_adds_nothing(found):
    graph, store = store_of(100, 100)
    store.update(events_of(found))
    again_graph, again = store_of(100, 100)
    again.update(events_of(found))
    again.update(events_of(found))
    assert_same(again, again_graph, store, graph)


@given(rows)
def test_bounds_hold(found):
    graph, store = store_of(max_sessions=2, max_session_length=3)
    store.update(events_of(found))
    assert len(store) <= 2
    assert store.to_arrays()["lengths"].max(initial=0) <= 3
    assert graph.n_transitions <= 2 * 3


def test_the_session_that_grew_longest_ago_goes_first_and_begins_anew():
    graph, store = store_of(max_sessions=2)
    store.update(events_of([(1, 0, 0), (1, 1, 1), (2, 2, 2), (1, 3, 3), (4, 4, 4)]))
    assert store.to_arrays()["sessions"].tolist() == [1, 4]
    store.update(events_of([(2, 5, 5)]))
    assert store.to_arrays()["sessions"].tolist() == [4, 2]
    assert graph.items == set()


@given(rows)
def test_a_store_comes_back_from_its_arrays_and_goes_on_alike(found):
    graph, store = store_of()
    store.update(events_of(found[:-5]))
    back_graph, back = store_of()
    back.restore(store.to_arrays())
    assert_same(back, back_graph, store, graph)
    for one in (store, back):
        one.update(events_of(found[-5:]))
    assert_same(back, back_graph, store, graph)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lengths": np.array([2])}, "once"),
        ({"lengths": np.array([3, 0])}, "at least 1"),
        ({"sessions": np.array([1, 1])}, "once"),
        ({"lengths": np.array([2, 2])}, "do not fit"),
        ({"items": np.array([0, -1, 2])}, "0 or more"),
        ({"times": np.array([0.0, np.nan, 2.0])}, "finite"),
        ({"times": np.array([5.0, 1.0, 2.0])}, "order of time"),
    ],
)
def test_refuses_arrays_that_do_not_fit_together(changed, message):
    arrays = {
        "sessions": np.array([1, 2]),
        "lengths": np.array([2, 1]),
        "items": np.array([0, 1, 2]),
        "times": np.array([0.0, 5.0, 2.0]),
    }
    store_of()[1].restore(arrays)
    with pytest.raises(ValueError, match=message):
        store_of()[1].restore(arrays | changed)
