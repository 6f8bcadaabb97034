from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from ml.interactions import from_arrays, split_by_time, times_at

triples = st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 10**12), st.floats(0.5, 5)), max_size=30)


@given(triples)
def test_each_pair_keeps_its_largest_weight(observed):
    users, items, weights = zip(*observed, strict=True) if observed else ((), (), ())
    data = from_arrays(users, items, weights)
    largest: dict[tuple[int, int], float] = {}
    for user, item, weight in observed:
        largest[user, item] = max(weight, largest.get((user, item), 0))
    stored = data.matrix.tocoo()
    found = {
        (int(data.user_ids[row]), int(data.item_ids[column])): float(value)
        for row, column, value in zip(stored.row, stored.col, stored.data, strict=True)
    }
    assert found == pytest.approx(largest)
    assert data.user_ids.tolist() == sorted(set(users))


def test_a_given_vocabulary_leaves_out_the_rest():
    vocabulary = np.array([1, 3])
    data = from_arrays([1, 2, 3, 9], [5, 5, 6, 5], [1, 1, 1, 1], user_ids=vocabulary, item_ids=np.array([5]))
    assert data.matrix.toarray().tolist() == [[1], [0]]


def test_an_empty_vocabulary():
    nothing = np.zeros(0, np.int64)
    assert from_arrays([1], [1], [1], user_ids=nothing, item_ids=nothing).matrix.shape == (0, 0)


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf")])
def test_refuses_weights_that_are_none(weight):
    with pytest.raises(ValueError, match="above 0"):
        from_arrays([1], [1], [weight])


def test_refuses_arrays_of_different_lengths():
    with pytest.raises(ValueError, match="same length"):
        from_arrays([1, 2], [1], [1])


def test_the_last_share_of_times_lies_after_the_split():
    times = np.arange(100.0)
    moment = split_by_time(times, 0.1)
    assert (times >= moment).sum() == 10


@pytest.mark.parametrize("share", [0, 1, -0.1, 2])
def test_refuses_a_share_that_splits_nothing(share):
    with pytest.raises(ValueError, match="between 0 and 1"):
        split_by_time([1.0, 2.0], share)


def test_times_at_places_and_at_none():
    matrix = sp.csr_matrix(np.array([[0, 2.0], [3.0, 0]]))
    assert times_at(matrix, np.array([0, 1]), np.array([1, 0])).tolist() == [2, 3]
    assert times_at(matrix, np.zeros(0, int), np.zeros(0, int)).tolist() == []


@pytest.mark.parametrize("wrong", [0, -1, np.nan, np.inf])
def test_refuses_to_give_a_time_that_there_is_not(wrong):
    matrix = sp.csr_matrix(np.array([[1, wrong], [3.0, 0]]))
    with pytest.raises(ValueError, match="must have a time"):
        times_at(matrix, np.array([0, 0]), np.array([0, 1]))
