from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ml.metrics import (
    average_precision,
    compare,
    first_unless_beaten,
    hit_rate,
    hits,
    ndcg,
    normal_interval,
    precision,
    recall,
    reciprocal_rank,
    summarise,
)

METRICS = [recall, precision, average_precision, ndcg, hit_rate, reciprocal_rank]
RELEVANT = sp.csr_matrix(np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]))
RANKED = np.array([[2, 0], [3, 1], [0, 1]])


def test_by_hand():
    assert recall(RANKED, RELEVANT)[:2].tolist() == [0.5, 0.0]
    assert precision(RANKED, RELEVANT)[:2].tolist() == [0.5, 0.0]
    assert average_precision(RANKED, RELEVANT)[:2].tolist() == [0.25, 0.0]
    assert ndcg(RANKED, RELEVANT)[0] == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))
    assert hit_rate(RANKED, RELEVANT)[:2].tolist() == [1.0, 0.0]
    assert reciprocal_rank(RANKED, RELEVANT)[:2].tolist() == [0.5, 0.0]


@pytest.mark.parametrize("metric", METRICS)
def test_a_user_without_anything_relevant_is_nan(metric):
    assert math.isnan(metric(RANKED, RELEVANT)[2])


@given(st.permutations(range(6)), st.sets(st.integers(0, 5), min_size=1))
def test_metrics_lie_between_none_and_all(ranked, relevant):
    truth = np.zeros((1, 6))
    truth[0, list(relevant)] = 1
    truth_csr = sp.csr_matrix(truth)
    for k in (1, 3, 6):
        top = np.array([ranked[:k]])
        for metric in METRICS:
            assert 0 <= metric(top, truth_csr)[0] <= 1 + 1e-12
    assert recall(np.array([ranked]), truth_csr)[0] == 1
    best = sorted(range(6), key=lambda item: item not in relevant)
    assert ndcg(np.array([best]), truth_csr)[0] == pytest.approx(1)
    assert average_precision(np.array([best]), truth_csr)[0] == pytest.approx(1)


@given(st.permutations(range(6)), st.sets(st.integers(0, 5), min_size=1), st.integers(1, 6))
def test_precision_and_average_precision_as_their_definitions_say(ranked, relevant, k):
    truth = np.zeros((1, 6))
    truth[0, list(relevant)] = 1
    found = [item in relevant for item in ranked[:k]]
    at_hits = [sum(found[: rank + 1]) / (rank + 1) for rank in range(k) if found[rank]]
    top, truth_csr = np.array([ranked[:k]]), sp.csr_matrix(truth)
    assert precision(top, truth_csr)[0] == pytest.approx(sum(found) / k)
    assert average_precision(top, truth_csr)[0] == pytest.approx(sum(at_hits) / min(k, len(relevant)))


def test_a_hit_further_up_is_worth_more_to_average_precision_and_the_same_to_precision():
    relevant = sp.csr_matrix(np.array([[1, 0, 0], [1, 0, 0]]))
    ranked = np.array([[0, 1, 2], [1, 2, 0]])
    assert average_precision(ranked, relevant).tolist() == pytest.approx([1, 1 / 3])
    assert precision(ranked, relevant).tolist() == pytest.approx([1 / 3, 1 / 3])


def test_an_empty_place_counts_against_precision():
    assert precision(np.array([[0, -1]]), sp.csr_matrix(np.array([[1, 0]]))).tolist() == [0.5]


def test_missing_recommendations_are_no_hits():
    assert recall(np.array([[0, -1]]), sp.csr_matrix(np.array([[1, 0, 0, 1]]))).tolist() == [0.5]


def test_hits_are_the_relevant_ones_wherever_they_stand():
    relevant = sp.csr_matrix(np.array([[1.0, 0, 0], [0, 0, 3]]))
    assert hits(np.array([[2, 0, -1], [2, 1, -1]]), relevant).tolist() == [[False, True, False], [True, False, False]]


@pytest.mark.parametrize("metric", METRICS)
def test_a_zero_that_is_stored_is_not_relevant(metric):
    stored = sp.csr_matrix(([1.0, 0.0, 0.0], ([0, 0, 1], [0, 1, 2])), shape=(2, 3))
    ranked = np.array([[0, 1, 2], [2, 0, 1]])
    np.testing.assert_array_equal(metric(ranked, stored), metric(ranked, sp.csr_matrix(stored.toarray())))


@pytest.mark.parametrize("metric", METRICS)
def test_refuses_a_list_that_names_an_item_twice(metric):
    with pytest.raises(ValueError, match="names an item twice"):
        metric(np.array([[0, 1, -1, -1], [2, 0, 1, 2]]), RELEVANT[:2])


def test_refuses_other_users_than_it_was_given():
    with pytest.raises(ValueError, match="2 rows"):
        recall(RANKED[:2], RELEVANT)


def test_a_summary_leaves_out_nan_and_gives_the_standard_error():
    summary = summarise(np.array([0.0, 1.0, np.nan, 0.0, 1.0]))
    assert (summary.mean, summary.users) == (0.5, 4)
    assert summary.error == pytest.approx(math.sqrt(1 / 3) / 2)


@pytest.mark.parametrize("values", [[], [np.nan]])
def test_a_summary_of_nobody(values):
    assert summarise(np.array(values)).users == 0


def test_the_interval_of_a_summary_is_that_of_scipy(rng):
    values = rng.exponential(size=300)
    summary = summarise(values)
    for confidence in (0.8, 0.95, 0.99):
        expected = scipy.stats.norm.interval(confidence, values.mean(), scipy.stats.sem(values))
        assert summary.interval(confidence) == pytest.approx(expected)
    assert summary.interval() == summary.interval(0.95)


@pytest.mark.parametrize("values", [[], [0.7]])
def test_nothing_follows_of_fewer_than_two_users(values):
    assert summarise(np.array(values)).interval() == (-math.inf, math.inf)


@pytest.mark.parametrize("confidence", [0, 1, -0.5, 95, math.nan])
def test_refuses_a_confidence_that_is_none(confidence):
    with pytest.raises(ValueError, match="between 0 and 1"):
        normal_interval(0.0, 1.0, confidence)


def test_a_comparison_is_of_the_differences_per_user(rng):
    users = rng.normal(0.5, 0.2, 400)
    better = users + rng.normal(0.01, 0.02, 400)
    found = compare(better, users)
    expected = scipy.stats.norm.interval(0.95, (better - users).mean(), scipy.stats.sem(better - users))
    assert found.interval == pytest.approx(expected)
    assert found.first_wins
    assert not found.second_wins
    # Apart, the two means could not be told from each other.
    assert summarise(better).interval().low < summarise(users).interval().high


def test_a_comparison_turned_round_gives_the_opposite(rng):
    first, second = rng.normal(0, 1, 200), rng.normal(1, 1, 200)
    one, other = compare(first, second), compare(second, first)
    assert one.interval == pytest.approx((-other.interval.high, -other.interval.low))
    assert (one.first_wins, one.second_wins) == (other.second_wins, other.first_wins) == (False, True)


def test_a_comparison_leaves_out_who_is_nan_in_either():
    found = compare(np.array([1.0, np.nan, 0.0, 1.0]), np.array([0.0, 1.0, 0.0, np.nan]))
    assert (found.difference.users, found.difference.mean) == (2, 0.5)


@pytest.mark.parametrize("values", [[], [0.3], [0.3, 0.3, 0.3]])
def test_nobody_wins_against_itself(values):
    found = compare(np.array(values), np.array(values))
    assert not found.first_wins
    assert not found.second_wins


def test_one_user_decides_nothing():
    assert not compare(np.array([1.0]), np.array([0.0])).first_wins


def test_equals_seldom_win(rng):
    wins = [compare(*rng.normal(size=(2, 100))).first_wins for _ in range(1000)]
    assert 0.01 < np.mean(wins) < 0.045  # 2.5% are expected, with a standard error of 0.5%


def test_the_first_gives_way_to_a_clear_answer_alone(rng):
    users = rng.random(200)
    little = users + rng.normal(0.001, 0.1, 200)
    more, most = users + 0.1 + rng.normal(0, 0.1, 200), users + 0.2 + rng.normal(0, 0.1, 200)
    assert first_unless_beaten([("first", users), ("little", little)]) == "first"
    assert first_unless_beaten([("first", users), ("most", most), ("more", more)]) == "most"
    assert first_unless_beaten([("first", users), ("more", more), ("most", most), ("little", little)]) == "most"


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ([1.0, 2.0], [1.0], "same users"),
        ([[1.0]], [[1.0]], "same users"),
        ([math.inf], [1.0], "infinite"),
        ([1.0], [-math.inf], "infinite"),
    ],
)
def test_refuses_to_compare_what_cannot_be(first, second, said):
    with pytest.raises(ValueError, match=said):
        compare(np.array(first), np.array(second))
