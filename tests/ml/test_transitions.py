from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.transitions import NOTHING, TransitionGraph, cut, merge

N = 7
sequences = st.lists(st.lists(st.integers(0, N - 1), max_size=8), max_size=6)


def graph_of(found, window=3, neighbours=N, max_transitions=N):
    graph = TransitionGraph(window, neighbours, max_transitions)
    for sequence in found:
        graph.count_sequence(sequence)
    return graph


def dense(row, n=N):
    items, shares = row
    vector = np.zeros(n)
    vector[items] = shares
    return vector


def plain_counts(found, window):
    counts = np.zeros((N, N))
    for sequence in found:
        for first, earlier in enumerate(sequence):
            for second in range(first + 1, min(len(sequence), first + window + 1)):
                if sequence[second] != earlier:
                    counts[earlier, sequence[second]] += 0.5 ** (second - first)
    return counts


def by_row(counts):
    sums = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, sums, out=np.zeros_like(counts), where=sums > 0)


def plain_two_steps(counts):
    step = by_row(counts + counts.T)
    twice = step @ step
    np.fill_diagonal(twice, 0)
    return by_row(twice)


@given(sequences, st.integers(1, 5))
def test_rows_are_those_of_dense_matrices(found, window):
    graph, counts = graph_of(found, window), plain_counts(found, window)
    for item in range(N):
        assert dense(graph.following(item)) == pytest.approx(by_row(counts)[item])
        assert dense(graph.preceding(item)) == pytest.approx(by_row(counts.T)[item])
        assert dense(graph.two_steps(item)) == pytest.approx(plain_two_steps(counts)[item])
    assert graph.n_transitions == np.count_nonzero(counts)
    assert graph.items == set(np.flatnonzero((counts + counts.T).any(axis=1)).tolist())


@given(sequences, sequences, st.booleans())
def test_what_is_taken_back_leaves_no_trace(kept, dropped, warm):
    graph, expected = graph_of(kept + dropped), graph_of(kept)
    if warm:
        graph.warm()
        for item in range(N):
            graph.two_steps(item)
    for sequence in dropped:
        graph.count_sequence(sequence, -1)
    assert graph.items == expected.items
    assert graph.n_transitions == expected.n_transitions
    for item in range(N):
        for walk in ("following", "preceding", "two_steps"):
            found, plain = getattr(graph, walk)(item), getattr(expected, walk)(item)
            assert found[0].tolist() == plain[0].tolist()
            assert found[1].tolist() == plain[1].tolist()


@given(sequences, st.lists(st.tuples(st.integers(0, N - 1), st.integers(0, N - 1)), max_size=10))
def test_rows_that_were_read_follow_every_change(found, pairs):
    graph = graph_of(found)
    for number, (earlier, later) in enumerate(pairs):
        for item in range(N):
            graph.two_steps(item)
        graph.count(earlier, later, 1)
        expected = graph_of([*found, *map(list, pairs[: number + 1])])
        for item in range(N):
            assert graph.two_steps(item)[1].tolist() == expected.two_steps(item)[1].tolist()


def test_an_item_further_away_counts_half_as_much_with_each_step():
    items, shares = graph_of([[0, 1, 2, 3]]).following(0)
    assert items.tolist() == [1, 2, 3]
    assert shares == pytest.approx(np.array([4, 2, 1]) / 7)


def test_two_steps_reach_what_was_never_seen_together():
    graph = graph_of([[0, 1], [1, 2]])
    assert 2 not in graph.following(0)[0]
    assert graph.two_steps(0)[0].tolist() == [2]
    assert graph.two_steps(0)[1].tolist() == [1.0]


def test_walks_go_by_the_strongest_neighbours_only():
    found = [[0, 1], [0, 1], [0, 2], [1, 3], [2, 4]]
    assert graph_of(found, neighbours=2).two_steps(0)[0].tolist() == [3, 4]
    assert graph_of(found, neighbours=1).two_steps(0)[0].tolist() == [3]


def test_rows_are_cut_to_the_largest_without_changing_their_shares():
    graph = graph_of([[0, 1], [0, 2], [0, 2], [0, 3]], max_transitions=2)
    assert graph.following(0)[0].tolist() == [1, 2]
    assert graph.following(0)[1].tolist() == [0.25, 0.5]
    assert graph.two_steps(1)[0].tolist() == [2]


def test_an_item_neither_follows_itself_nor_is_known_for_it():
    graph = graph_of([[0, 0, 0]])
    assert graph.items == set()
    assert graph.following(0) is graph.two_steps(0) is NOTHING


def test_pairs_beyond_the_window_are_ignored():
    graph = graph_of([], window=2)
    graph.count(0, 1, 3)
    assert graph.items == set()


@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, N - 1), st.floats(0, 1)), max_size=5),
            st.floats(0, 2, allow_subnormal=False),
        ),
        max_size=4,
    )
)
def test_merging_is_a_weighted_sum(parts):
    rows = [(np.array([i for i, _ in row], np.int64), np.array([s for _, s in row], np.float64)) for row, _ in parts]
    expected = np.zeros(N)
    for row, weight in parts:
        for item, share in row:
            expected[item] += share * weight
    items, scores = merge(rows, [weight for _, weight in parts])
    assert (np.diff(items) > 0).all()
    assert dense((items, scores)) == pytest.approx(expected)


def test_cutting_keeps_the_smaller_ids_of_equals():
    items, shares = cut((np.array([3, 5, 8, 9]), np.array([0.1, 0.4, 0.1, 0.1])), 2)
    assert items.tolist() == [3, 5]
    assert shares.tolist() == [0.1, 0.4]


@pytest.mark.parametrize("sizes", [(0, 1, 1), (33, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_refuses_sizes_that_are_none(sizes):
    with pytest.raises(ValueError, match="at least 1"):
        TransitionGraph(*sizes)
