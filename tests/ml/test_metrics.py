from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from ml.metrics import hit_rate, ndcg, recall, reciprocal_rank, summarise

RELEVANT = sp.csr_matrix(np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]))
RANKED = np.array([[2, 0], [3, 1], [0, 1]])


def test_by_hand():
    assert recall(RANKED, RELEVANT)[:2].tolist() == [0.5, 0.0]
    assert ndcg(RANKED, RELEVANT)[0] == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))
    assert hit_rate(RANKED, RELEVANT)[:2].tolist() == [1.0, 0.0]
    assert reciprocal_rank(RANKED, RELEVANT)[:2].tolist() == [0.5, 0.0]


@pytest.mark.parametrize("metric", [recall, ndcg, hit_rate, reciprocal_rank])
def test_a_user_without_anything_relevant_is_nan(metric):
    assert math.isnan(metric(RANKED, RELEVANT)[2])


@given(st.permutations(range(6)), st.sets(st.integers(0, 5), min_size=1))
def test_metrics_lie_between_none_and_all(ranked, relevant):
    truth = np.zeros((1, 6))
    truth[0, list(relevant)] = 1
    truth_csr = sp.csr_matrix(truth)
    for k in (1, 3, 6):
        top = np.array([ranked[:k]])
        for metric in (recall, ndcg, hit_rate, reciprocal_rank):
            assert 0 <= metric(top, truth_csr)[0] <= 1 + 1e-12
    assert recall(np.array([ranked]), truth_csr)[0] == 1
    best = sorted(range(6), key=lambda item: item not in relevant)
    assert ndcg(np.array([best]), truth_csr)[0] == pytest.approx(1)


def test_missing_recommendations_are_no_hits():
    assert recall(np.array([[0, -1]]), sp.csr_matrix(np.array([[1, 0, 0, 1]]))).tolist() == [0.5]


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
