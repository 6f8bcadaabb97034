from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.objectives import ObjectivesConfig, weighted_product, weighted_ranks, weighted_sum

RATES = np.array([[0.2, 0.1], [0.1, 0.4], [0.05, 0.0]])
COMBINATIONS = [weighted_sum, weighted_product, weighted_ranks]
seeds = st.integers(0, 2**32 - 1)


def drawn(seed):
    """Rates (up to 8 items, 3 objectives), among them ties and zeros, and weights."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 21, (int(rng.integers(1, 9)), 3)) / 20, tuple(rng.uniform(0.01, 5, 3).tolist())


def test_by_hand():
    config = ObjectivesConfig(weights=(1, 2))
    assert weighted_sum(RATES, config) == pytest.approx([0.4, 0.9, 0.05])
    assert weighted_product(RATES, config) == pytest.approx([0.2 * 0.01, 0.1 * 0.16, 0])
    assert weighted_ranks(RATES, config) == pytest.approx([(1 + 2 * 0.5) / 3, (0.5 + 2 * 1) / 3, 0])


@pytest.mark.parametrize("combine", COMBINATIONS)
@given(seed=seeds, gained=st.floats(0, 1), objective=st.integers(0, 2))
def test_a_higher_rate_never_lowers_an_item(combine, seed, gained, objective):
    rates, weights = drawn(seed)
    config = ObjectivesConfig(weights=weights)
    better = rates.copy()
    better[0, objective] += gained
    assert combine(better, config)[0] >= combine(rates, config)[0] - 1e-12


@pytest.mark.parametrize("combine", COMBINATIONS)
@given(seed=seeds)
def test_a_single_objective_gives_its_own_order(combine, seed):
    rates, _ = drawn(seed)
    values = combine(rates, ObjectivesConfig(weights=(0, 1, 0)))
    order = np.argsort(-rates[:, 1], kind="stable")
    assert np.all(np.diff(values[order]) <= 0)
    assert len(np.unique(values)) == len(np.unique(rates[:, 1]))


@given(seeds, st.floats(0.1, 100))
def test_ranks_do_not_ask_for_one_scale(seed, scale):
    rates, weights = drawn(seed)
    config = ObjectivesConfig(weights=weights)
    assert weighted_ranks(rates * [1, scale, 1], config).tolist() == weighted_ranks(rates, config).tolist()


@given(seeds)
def test_ranks_lie_between_none_and_one(seed):
    rates, weights = drawn(seed)
    ranks = weighted_ranks(rates, ObjectivesConfig(weights=weights))
    assert np.all((ranks >= -1e-12) & (ranks <= 1 + 1e-12))
    assert ranks.mean() == pytest.approx(0.5 if len(rates) > 1 else 1)


@given(seeds)
def test_a_product_is_the_sum_of_logarithms(seed):
    rates, weights = drawn(seed)
    config = ObjectivesConfig(weights=weights)
    values = weighted_product(rates + 1, config)
    assert np.log(values) == pytest.approx(weighted_sum(np.log(rates + 1), config))


@pytest.mark.parametrize("combine", COMBINATIONS)
def test_an_item_below_a_minimum_comes_last_and_counts_for_nobody(combine):
    config = ObjectivesConfig(weights=(1, 1), minimums=(0.1, 0.0))
    values = combine(RATES, config)
    assert values[2] == -math.inf
    assert values[:2].tolist() == combine(RATES[:2], config).tolist()


def test_ties_share_the_mean_of_their_ranks_and_one_item_is_the_best():
    assert weighted_ranks([[0.5], [0.5], [0.1]], ObjectivesConfig(weights=(3,))).tolist() == [0.75, 0.75, 0]
    assert weighted_ranks([[0.0]], ObjectivesConfig(weights=(3,))).tolist() == [1]


@pytest.mark.parametrize("combine", COMBINATIONS)
def test_no_items_have_no_values(combine):
    assert combine(np.zeros((0, 2)), ObjectivesConfig(weights=(1, 1))).shape == (0,)
    assert combine([[0.1]], ObjectivesConfig(weights=(1,), minimums=(0.2,))).tolist() == [-math.inf]


@pytest.mark.parametrize("combine", COMBINATIONS)
@pytest.mark.parametrize("rates", [[[0.1]], [0.1, 0.2], [[0.1, -0.1]], [[0.1, math.nan]], [[math.inf, 0.1]]])
def test_refuses_rates_that_make_no_sense(combine, rates):
    with pytest.raises(ValueError, match="Rates must"):
        combine(rates, ObjectivesConfig(weights=(1, 1)))


@pytest.mark.parametrize(
    ("weights", "minimums"),
    [((), ()), ((0, 0), ()), ((-1, 2), ()), ((math.nan,), ()), ((math.inf,), ()), ((1, 1), (0,)), ((1,), (-1,))],
)
def test_the_config_refuses_what_makes_no_sense(weights, minimums):
    with pytest.raises(ValueError, match=r"Weights must|Minimums must|minimums for"):
        ObjectivesConfig(weights=weights, minimums=minimums)
