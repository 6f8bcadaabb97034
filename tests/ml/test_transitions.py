from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.transitions import NOTHING, TransitionGraph, largest, merge

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


def plain_cut(row, most):
    return dict(sorted(row.items(), key=lambda pair: (-pair[1], pair[0]))[:most])


def plain_walk(found, window, neighbours, most, item):
    """Two steps in fractions, without any arrays."""
    following, preceding = ({one: {} for one in range(N)} for _ in range(2))
    for sequence in found:
        for first, earlier in enumerate(sequence):
            for distance, later in enumerate(sequence[first + 1 : first + 1 + window], start=1):
                if earlier != later:
                    following[earlier][later] = following[earlier].get(later, 0) + 2 ** (window - distance)
                    preceding[later][earlier] = preceding[later].get(earlier, 0) + 2 ** (window - distance)

    def around(one):
        after, before = plain_cut(following[one], most), plain_cut(preceding[one], most)
        total = sum(following[one].values()) + sum(preceding[one].values())
        return {other: Fraction(after.get(other, 0) + before.get(other, 0), total) for other in after | before}

    reached = {}
    for between, share in plain_cut(around(item), neighbours).items():
        for other, next_share in around(between).items():
            if other != item:
                reached[other] = reached.get(other, 0) + share * next_share
    return sorted(plain_cut({other: score / sum(reached.values()) for other, score in reached.items()}, most).values())


@given(sequences, sequences, st.integers(1, 4), st.integers(1, 4))
def test_walks_through_few_neighbours_are_those_of_fractions_after_every_change(found, more, neighbours, most):
    graph = graph_of(found, neighbours=neighbours, max_transitions=most)
    for number, sequence in enumerate(more):
        graph.count_sequence(sequence)
        now = found + more[: number + 1]
        for item in graph.items:
            expected = [float(share) for share in plain_walk(now, 3, neighbours, most, item)]
            assert sorted(graph.two_steps(item)[1].tolist()) == pytest.approx(expected)


def test_memory_is_that_of_the_items_there_are():
    graph = graph_of([[0, 1, 2]])
    for item in range(3, 5000):
        graph.count(0, item, 1)
        graph.count(0, item, 1, -1)
    assert graph.items == {0, 1, 2}
    assert len(graph._slots.items) == 1024
    graph.count_sequence(range(5000))
    assert graph.following(4000)[0].tolist() == [4001, 4002, 4003]


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


@given(st.lists(st.integers(0, 5), max_size=20), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_the_largest_are_those_first_by_share_and_then_by_id(shares, n, seed):
    items = np.random.default_rng(seed).permutation(len(shares)).astype(np.int64)
    found = largest(np.array(shares, dtype=np.float64), items, n)
    expected = sorted(range(len(shares)), key=lambda place: (-shares[place], items[place]))[:n]
    assert sorted(found.tolist()) == sorted(expected)


@pytest.mark.parametrize("sizes", [(0, 1, 1), (33, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_refuses_sizes_that_are_none(sizes):
    with pytest.raises(ValueError, match="at least 1"):
        TransitionGraph(*sizes)
