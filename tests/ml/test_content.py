from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ml.content import ContentScorer, profiles
from ml.vectors import unit_rows

VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8], [0, 0], [-1, 0]], dtype=np.float32)
SCORER = ContentScorer(VECTORS)


def histories(*rows: list[float]) -> sp.csr_matrix:
    return sp.csr_matrix(np.array(rows, dtype=np.float32))


def test_a_profile_is_the_weighted_mean_made_of_length_1():
    found = profiles(histories([1, 3, 0, 0, 0], [0, 0, 2, 0, 0]), VECTORS)
    assert found[0] == pytest.approx(np.array([1, 3]) / np.sqrt(10))
    assert found[1] == pytest.approx(VECTORS[2])
    assert found.dtype == np.float32


def test_scores_are_cosines_with_the_profile():
    found = SCORER.score(histories([1, 0, 0, 0, 0]))
    assert found == pytest.approx(np.array([[1, 0, 0.6, 0, -1]]))
    assert found.dtype == np.float32


def test_users_are_scored_apart():
    one, other = [1, 0, 2, 0, 0], [0, 1, 0, 0, 0.5]
    together = SCORER.score(histories(one, other))
    assert together[0] == pytest.approx(SCORER.score(histories(one))[0])
    assert together[1] == pytest.approx(SCORER.score(histories(other))[0])


@pytest.mark.parametrize(
    "history", [[0, 0, 0, 0, 0], [0, 0, 0, 1, 0], [1, 0, 0, 0, 1]], ids=["empty", "unknown content", "cancels out"]
)
def test_a_history_that_says_nothing_scores_nothing(history):
    assert not SCORER.score(histories(history)).any()
    taken = np.flatnonzero(history)
    assert not SCORER.carried(taken, np.ones(len(taken), np.float32), np.arange(5)).any()


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_the_unit_of_the_weights_does_not_matter(unit):
    row = np.array([[1, 3, 2, 0, 0]], dtype=np.float32)
    assert SCORER.score(histories([1, 3, 2, 0, 0])) == pytest.approx(
        SCORER.score(sp.csr_matrix(row * np.float32(unit)))
    )


@given(
    arrays.arrays(np.float32, (6, 3), elements=st.floats(-1, 1, width=32)),
    st.lists(st.floats(0.0625, 100, width=32), min_size=1, max_size=6),
)
def test_what_the_history_carried_sums_up_to_the_scores(rows, weights):
    scorer = ContentScorer(unit_rows(rows))
    history, amounts = np.arange(len(weights)), np.array(weights, np.float32)
    row = sp.csr_matrix((amounts, (np.zeros(len(weights), int), history)), shape=(1, 6))
    carried = scorer.carried(history, amounts, np.arange(6))
    mean = (amounts[:, None].astype(float) * scorer.vectors[history]).sum(axis=0) / amounts.max()
    assume(np.linalg.norm(mean) > 1e-3)  # nearer to nothing, what is left is rounding
    assert carried.sum(axis=0) == pytest.approx(scorer.score(row)[0], abs=1e-4)


def test_an_item_is_carried_by_the_history_item_that_it_is_like():
    carried = SCORER.carried(np.array([0, 1]), np.ones(2, np.float32), np.array([0, 1, 2]))
    assert carried.argmax(axis=0).tolist() == [0, 1, 1]


def test_an_empty_history_has_no_carriers():
    carried = SCORER.carried(np.array([], dtype=int), np.array([], dtype=np.float32), np.array([0, 1]))
    assert carried.shape == (0, 2)


def test_no_users_and_no_items():
    assert SCORER.score(sp.csr_matrix((0, 5), dtype=np.float32)).shape == (0, 5)
    empty = ContentScorer(np.zeros((0, 3), np.float32))
    assert empty.n_items == 0
    assert empty.score(sp.csr_matrix((2, 0), dtype=np.float32)).shape == (2, 0)


def test_repeated_entries_of_a_history_add_up():
    twice = sp.csr_matrix((np.ones(3, np.float32), ([0, 0, 0], [0, 0, 1])), shape=(1, 5))
    assert SCORER.score(twice) == pytest.approx(SCORER.score(histories([2, 1, 0, 0, 0])))


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -1.0])
def test_refuses_weights_that_are_not_finite_and_positive(weight):
    with pytest.raises(ValueError, match="finite"):
        SCORER.score(histories([1, weight, 0, 0, 0]))
    with pytest.raises(ValueError, match="finite"):
        SCORER.carried(np.array([0, 1]), np.array([1, weight], np.float32), np.array([0]))


def test_refuses_histories_over_other_items():
    with pytest.raises(ValueError, match="3 items"):
        SCORER.score(histories([1, 0, 0]))


@pytest.mark.parametrize("vectors", [np.full((2, 2), np.nan), np.ones(3)])
def test_refuses_vectors_that_are_none(vectors):
    with pytest.raises(ValueError, match="Content vectors"):
        ContentScorer(vectors.astype(np.float32))
