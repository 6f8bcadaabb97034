from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from ml.list_metrics import (
    average_popularity,
    calibration,
    catalogue_coverage,
    intra_list_diversity,
    novelty,
    popularity_bias,
)

lists = stn.arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(0, 4)), elements=st.integers(-1, 5))
NOBODY = np.full((2, 3), -1)


def test_coverage_counts_each_item_once_and_no_empty_place():
    assert catalogue_coverage(np.array([[0, 1], [1, -1], [3, 0]]), 4) == 0.75
    assert catalogue_coverage(NOBODY, 4) == 0


@given(lists)
def test_coverage_is_the_share_of_distinct_items(ranked):
    assert catalogue_coverage(ranked, 6) == len({item for item in ranked.ravel().tolist() if item >= 0}) / 6


def test_an_item_taken_by_everybody_is_no_news_and_each_halving_is_one_bit():
    found = novelty(np.array([[0, -1], [1, 2], [2, 2]]), [8, 4, 2], n_users=8)
    assert found.tolist() == [0.0, 1.5, 2.0]


def test_an_item_nobody_took_is_the_most_novel_and_finite():
    assert novelty(np.array([[0], [1]]), [0, 1], n_users=16).tolist() == [4.0, 4.0]


@pytest.mark.parametrize(
    "metric", [lambda ranked: novelty(ranked, [1], 2), lambda ranked: average_popularity(ranked, [1])]
)
def test_a_list_without_items_is_nan(metric):
    assert np.isnan(metric(NOBODY)).all()


@pytest.mark.parametrize(("counts", "n_users"), [([3], 2), ([0], 0), ([-1], 2), ([math.nan], 2), ([[1]], 2)])
def test_novelty_refuses_counts_that_make_no_sense(counts, n_users):
    with pytest.raises(ValueError, match=r"more users than|finite"):
        novelty(np.array([[0]]), counts, n_users)


@given(
    lists,
    stn.arrays(np.float64, (6, 3), elements=st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6)),
)
def test_diversity_is_the_mean_over_all_pairs(ranked, vectors):
    found = intra_list_diversity(ranked, vectors)
    for row, value in zip(ranked, found, strict=True):
        chosen = [vectors[item] for item in row if item >= 0]
        pairs = [1 - _cosine(a, b) for a, b in itertools.combinations(chosen, 2)]
        assert value == pytest.approx(np.mean(pairs) if pairs else math.nan, abs=1e-9, nan_ok=True)


def _cosine(first, second):
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    return first @ second / lengths if lengths else 0.0


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_diversity_knows_no_scale(scale):
    vectors = np.array([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0], [5.0, 0.0]]) * scale
    found = intra_list_diversity(np.array([[0, 1], [0, 2], [0, 3], [0, -1]]), vectors)
    assert found == pytest.approx([1, 2, 0, math.nan], nan_ok=True)


@pytest.mark.parametrize("vectors", [[[math.nan]], [[math.inf]], [1.0]])
def test_diversity_refuses_vectors_that_are_none(vectors):
    with pytest.raises(ValueError, match="vectors"):
        intra_list_diversity(np.array([[0]]), np.array(vectors))


def test_average_popularity_is_the_mean_of_each_list():
    assert average_popularity(np.array([[0, 1], [2, -1]]), [10, 20, 5]).tolist() == [15.0, 5.0]


def test_lists_half_again_as_popular_as_the_history_have_a_lift_of_a_half():
    history = sp.csr_matrix(np.array([[0.1, 0, 9], [0, 0, 1]]))  # how often does not matter
    found = popularity_bias(np.array([[1, -1], [0, 2]]), history, [30, 60, 10])
    assert (found.recommended, found.history) == (40, 15)
    assert found.lift == pytest.approx(5 / 3)


def test_what_a_user_takes_already_has_no_lift(rng):
    ranked = np.stack([rng.permutation(20)[:5] for _ in range(30)])
    history = sp.csr_matrix((np.ones(150), (np.repeat(np.arange(30), 5), ranked.ravel())), shape=(30, 20))
    assert popularity_bias(ranked, history, rng.integers(1, 100, 20)).lift == pytest.approx(0)


def test_only_users_with_a_list_and_a_history_count_for_popularity_bias():
    history = sp.csr_matrix(np.array([[1, 0], [1, 0], [0, 0]]))
    found = popularity_bias(np.array([[1], [-1], [0]]), history, [2, 6])
    assert (found.recommended, found.history, found.lift) == (6, 2, 2)


def test_popularity_bias_of_nothing_is_nan():
    assert math.isnan(popularity_bias(NOBODY, sp.csr_matrix((2, 1)), [1]).lift)
    unpopular = popularity_bias(np.array([[0]]), sp.csr_matrix(np.array([[1]])), [0])
    assert unpopular.history == 0
    assert math.isnan(unpopular.lift)


def test_calibration_is_the_divergence_scipy_finds(rng):
    categories = rng.random((8, 4))
    history = sp.csr_matrix(rng.random((3, 8)))
    ranked = np.stack([rng.permutation(8)[:3] for _ in range(3)])
    shares = categories / categories.sum(axis=1, keepdims=True)
    for user, found in enumerate(calibration(ranked, history, categories, smoothing=0.05)):
        wanted = history[user].toarray()[0] @ shares / history[user].sum()
        listed = shares[ranked[user]].mean(axis=0)
        assert found == pytest.approx(scipy.stats.entropy(wanted, 0.95 * listed + 0.05 * wanted))


def test_seventy_of_one_and_thirty_of_the_other_asks_for_both():
    categories = sp.csr_matrix(np.repeat([[1, 0], [0, 1]], 10, axis=0))
    history = sp.csr_matrix(np.array([[7, *[0] * 9, 3, *[0] * 9]] * 3))
    mixed, narrow, opposite = [*range(7), 10, 11, 12], [*range(10)], [*range(10, 20)]
    found = calibration(np.array([mixed, narrow, opposite]), history, categories)
    assert found[0] == pytest.approx(0, abs=1e-12)
    assert found[0] < found[1] < found[2] < math.log(100)


def test_a_list_with_nothing_of_what_the_user_wants_is_as_bad_as_smoothing_lets_it_be():
    found = calibration(np.array([[1]]), sp.csr_matrix(np.array([[1, 0]])), np.eye(2), smoothing=0.01)
    assert found[0] == pytest.approx(math.log(100))


def test_an_item_shares_its_weight_among_its_categories_and_one_without_counts_for_nothing():
    categories = np.array([[2.0, 2.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    history = sp.csr_matrix(np.array([[1, 0, 0, 5]]))
    assert calibration(np.array([[1, 2, 3]]), history, categories)[0] == pytest.approx(0, abs=1e-12)


def test_calibration_without_a_known_category_is_nan():
    categories = np.array([[1.0], [0.0]])
    history = sp.csr_matrix(np.array([[0, 0], [0, 1], [1, 0], [1, 0]]))
    assert np.isnan(calibration(np.array([[0], [0], [1], [-1]]), history, categories)).all()


@given(lists, st.integers(0, 2**32 - 1), st.floats(0.001, 0.5))
def test_calibration_lies_between_nothing_and_what_smoothing_allows(ranked, seed, smoothing):
    rng = np.random.default_rng(seed)
    history = sp.csr_matrix(rng.integers(0, 3, (len(ranked), 6)))
    found = calibration(ranked, history, rng.integers(0, 2, (6, 3)), smoothing)
    known = found[~np.isnan(found)]
    assert ((known >= 0) & (known <= math.log(1 / smoothing) + 1e-9)).all()


@pytest.mark.parametrize("smoothing", [0, 1, -0.1, math.nan])
def test_refuses_a_smoothing_that_is_none(smoothing):
    with pytest.raises(ValueError, match="smoothing"):
        calibration(np.array([[0]]), sp.csr_matrix(np.eye(1)), np.eye(1), smoothing)


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_calibration_refuses_weights_that_make_no_sense(weight):
    bad, good = np.array([[weight]]), np.array([[1.0]])
    with pytest.raises(ValueError, match="history"):
        calibration(np.array([[0]]), sp.csr_matrix(bad), good)
    with pytest.raises(ValueError, match="categories"):
        calibration(np.array([[0]]), sp.csr_matrix(good), bad)


@pytest.mark.parametrize("shape", [(2, 3), (1, 2)])
def test_refuses_a_history_of_other_users_or_items(shape):
    history, ranked = sp.csr_matrix(shape), np.array([[0]])
    with pytest.raises(ValueError, match="history is"):
        popularity_bias(ranked, history, [1, 1, 1])
    with pytest.raises(ValueError, match="history is"):
        calibration(ranked, history, np.ones((3, 1)))


@pytest.mark.parametrize("popularity", [[-1.0], [math.inf], [[1.0]]])
def test_refuses_a_popularity_that_is_none(popularity):
    with pytest.raises(ValueError, match="Popularity"):
        average_popularity(np.array([[0]]), popularity)
    with pytest.raises(ValueError, match="Popularity"):
        popularity_bias(np.array([[0]]), sp.csr_matrix((1, 1)), popularity)


def test_refuses_items_that_are_not_in_the_catalogue():
    with pytest.raises(ValueError, match="2 items"):
        catalogue_coverage(np.array([[0, 2]]), 2)
    with pytest.raises(ValueError, match="ranked"):
        catalogue_coverage(np.array([0, 1]), 2)
    with pytest.raises(ValueError, match="at least one item"):
        catalogue_coverage(NOBODY, 0)
