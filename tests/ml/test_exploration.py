from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.special import beta, betainc, betaincinv

from ml.exploration import (
    ExplorationConfig,
    PosteriorConfig,
    beta_posterior,
    epsilon_greedy,
    slot_probabilities,
    thompson,
    thompson_order,
    uniform_order,
)

CONFIG = ExplorationConfig(length=6, slots=(1, 2, 4), epsilon=0.35)
RANKED, POOL = np.arange(10, 18), np.array([90, 91, 92, 93])
POSTERIOR = (np.array([3.0, 8.0, 30.0, 1.0]), np.array([20.0, 40.0, 200.0, 1.5]))
DRAWS = 2000


def frequencies(slates, ids):
    """How often each id came to each slot, (slots, ids)."""
    shown = np.stack([slate.items for slate in slates])
    return (shown[:, :, None] == ids).sum(axis=0)


def assert_frequencies(counts, table):
    """A chi-square test for each slot, over the items that may come there; none may come that cannot."""
    assert counts[table == 0].sum() == 0
    for observed, chances in zip(counts, table, strict=True):
        possible = chances > 0
        if possible.sum() > 1:
            expected = chances[possible] * observed.sum()
            assert stats.chisquare(observed[possible], expected * observed.sum() / expected.sum()).pvalue > 1e-3


def assert_logged(slates, ids, table):
    """Each slate says of its items what the table says."""
    column = {item: place for place, item in enumerate(ids.tolist())}
    for slate in slates[:200]:
        looked_up = [table[slot, column[item]] for slot, item in enumerate(slate.items.tolist())]
        assert slate.propensities == pytest.approx(looked_up)
        assert (slate.propensities > 0).all()


@pytest.mark.parametrize(
    ("pool", "epsilon"),
    [(POOL, 0.35), (POOL[:2], 0.35), (POOL[:0], 0.35), (POOL, 1.0)],
    ids=["large", "small", "none", "always"],
)
def test_epsilon_greedy_shows_items_as_often_as_its_propensities_say(rng, pool, epsilon):
    config = ExplorationConfig(length=6, slots=(1, 2, 4), epsilon=epsilon)
    slates = [epsilon_greedy(RANKED, pool, config, rng) for _ in range(DRAWS)]
    ids = np.concatenate([RANKED[:6], pool])
    table = slot_probabilities(6, uniform_order(len(pool), 3), config)
    assert_frequencies(frequencies(slates, ids), table)
    assert_logged(slates, ids, table)


def test_thompson_shows_items_as_often_as_its_propensities_say(rng):
    order = thompson_order(*POSTERIOR, 3, PosteriorConfig())
    slates = [thompson(RANKED, POOL, POSTERIOR, order, CONFIG, rng) for _ in range(DRAWS)]
    ids = np.concatenate([RANKED[:6], POOL])
    table = slot_probabilities(6, order, CONFIG)
    assert_frequencies(frequencies(slates, ids), table)
    assert_logged(slates, ids, table)


def test_weighing_by_propensities_gives_the_value_of_another_slot_policy(rng):
    worth = dict(zip(POOL.tolist(), [0.1, 0.2, 0.5, 0.9], strict=True))
    slates = [epsilon_greedy(RANKED, POOL, CONFIG, rng) for _ in range(DRAWS)]
    shown = [(slate.items[2], slate.propensities[2]) for slate in slates if slate.explored[2]]
    always_the_last = sum(worth[item] / chance for item, chance in shown if item == 93) / DRAWS
    assert always_the_last == pytest.approx(0.9, abs=0.15)


def test_a_slate_keeps_the_ranking_around_what_it_explores(rng):
    for _ in range(200):
        slate = epsilon_greedy(RANKED, POOL, CONFIG, rng)
        kept = slate.items[~slate.explored]
        assert kept.tolist() == RANKED[: len(kept)].tolist()
        assert set(slate.items[slate.explored].tolist()) <= set(POOL.tolist())
        assert set(np.flatnonzero(slate.explored).tolist()) <= {1, 2, 4}
        assert len(set(slate.items.tolist())) == 6


def test_without_exploration_the_ranking_is_shown_for_certain(rng):
    slate = epsilon_greedy(RANKED, POOL, ExplorationConfig(length=4, slots=(0, 3), epsilon=0), rng)
    assert slate.items.tolist() == [10, 11, 12, 13]
    assert slate.propensities.tolist() == [1, 1, 1, 1]
    assert not slate.explored.any()


def test_what_the_ranking_shows_anyway_is_left_out_of_the_pool(rng):
    config = ExplorationConfig(length=2, slots=(0,), epsilon=1.0)
    found = {int(epsilon_greedy([1, 2, 3], [2, 3, 4], config, rng).items[0]) for _ in range(100)}
    assert found == {3, 4}


def test_a_short_ranking_makes_a_short_slate(rng):
    slate = epsilon_greedy([1, 2], POOL, ExplorationConfig(length=5, slots=(1, 4), epsilon=1.0), rng)
    assert slate.explored.tolist() == [False, True]
    assert slate.propensities == pytest.approx([1, 0.25])
    assert epsilon_greedy([], POOL, CONFIG, rng).items.shape == (0,)


def test_the_propensities_are_those_of_every_coin_and_order_counted_out():
    table = np.zeros((6, 10))
    for coins in itertools.product([False, True], repeat=3):
        chance = math.prod(0.35 if coin else 0.65 for coin in coins) / 24
        for order in itertools.permutations(range(4)):
            ranks = iter(range(6))
            explored = dict(zip((1, 2, 4), zip(coins, order[:3], strict=True), strict=True))
            for slot in range(6):
                coin, item = explored.get(slot, (False, 0))
                table[slot, 6 + item if coin else next(ranks)] += chance
    assert slot_probabilities(6, uniform_order(4, 3), CONFIG) == pytest.approx(table)


@given(st.integers(0, 9), st.integers(0, 5), st.sets(st.integers(0, 6)), st.floats(0, 1))
def test_every_slot_shows_something_and_no_item_is_shown_twice(n_ranked, n_pool, slots, epsilon):
    config = ExplorationConfig(length=7, slots=tuple(sorted(slots)), epsilon=epsilon)
    table = slot_probabilities(n_ranked, uniform_order(n_pool, len(slots)), config)
    assert table.shape == (min(7, n_ranked), n_ranked + n_pool)
    assert np.all(table >= 0)
    assert table.sum(axis=1) == pytest.approx(np.ones(len(table)))
    assert np.all(table.sum(axis=0) <= 1 + 1e-9)


def test_the_same_seed_gives_the_same_slate():
    one, other = (epsilon_greedy(RANKED, POOL, CONFIG, np.random.default_rng(3)) for _ in range(2))
    assert one.items.tolist() == other.items.tolist()


def wins(share, a, b, *others):
    """P(all others lie below that quantile of Beta(a, b))."""
    return float(np.prod(betainc(*others, betaincinv(a, b, share))))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([2.0, 3.0], [5.0, 4.0]),
        ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]),
        ([3.0, 80.0, 1.0, 500.0], [20.0, 900.0, 1.0, 9000.0]),
        ([0.5, 40.0, 0.7], [0.5, 60.0, 4.0]),
    ],
)
def test_the_order_is_that_of_adaptive_integration_within_its_error(first, second):
    order = thompson_order(first, second, 1, PosteriorConfig())
    for item, (a, b) in enumerate(zip(first, second, strict=True)):
        rest = np.arange(len(first)) != item
        others = np.array(first)[rest], np.array(second)[rest]
        exact, _ = integrate.quad(wins, 0, 1, args=(a, b, *others), limit=200)
        assert abs(order.probabilities[item, 0] - exact) <= order.error + 1e-7
    assert order.error < 2e-3


def test_the_order_of_two_is_the_closed_form_for_whole_parameters():
    """Sum over i < a of B(c + i, b + d) / ((b + i) B(1 + i, b) B(c, d)): the first of two rates is the larger."""
    a, b, c, d = 4, 10, 3, 5
    terms = (beta(c + i, b + d) / ((b + i) * beta(1 + i, b) * beta(c, d)) for i in range(a))
    order = thompson_order([a, c], [b, d], 2, PosteriorConfig())
    larger = sum(terms)
    assert order.probabilities == pytest.approx(np.array([[larger, 1 - larger], [1 - larger, larger]]), abs=2e-4)


def test_the_order_of_many_is_that_of_draws(rng):
    tries = 10 ** rng.uniform(0, 4, 12)
    posterior = beta_posterior(tries * rng.uniform(0.03, 0.08, 12), tries, PosteriorConfig())
    order = thompson_order(*posterior, 12, PosteriorConfig())
    drawn = np.argsort(-rng.beta(*posterior, (40_000, 12)), axis=1)
    for place in range(12):
        counts = np.bincount(drawn[:, place], minlength=12)
        expected = np.maximum(order.probabilities[:, place], 1e-9) * 40_000
        rare = expected < 5
        # A chi-square test needs some 5 in each cell, so what is rarer is put together, with one more for both.
        binned = [np.append(values[~rare], values[rare].sum() + 1) for values in (counts, expected)]
        assert stats.chisquare(binned[0], binned[1] * binned[0].sum() / binned[1].sum()).pvalue > 1e-3
    assert order.probabilities.sum(axis=0) == pytest.approx(np.ones(12))
    assert order.probabilities.sum(axis=1) == pytest.approx(np.ones(12), abs=1e-3)


def test_items_that_are_alike_are_as_likely_and_a_better_one_likelier():
    order = thompson_order([2.0, 2.0, 9.0], [9.0, 9.0, 2.0], 3, PosteriorConfig())
    assert order.probabilities[0] == pytest.approx(order.probabilities[1])
    assert order.probabilities[2, 0] > 0.9 > 0.1 > order.probabilities[2, 2]


def test_more_points_make_the_error_smaller():
    parameters = [3.0, 80.0, 1.0, 500.0], [20.0, 900.0, 1.0, 9000.0]
    errors = [thompson_order(*parameters, 2, PosteriorConfig(points_per_item=count)).error for count in (8, 32, 128)]
    assert errors[0] > 4 * errors[1] > 16 * errors[2] > 0


def test_very_sure_posteriors_are_told_apart():
    order = thompson_order([5.1e7, 5.0e7, 1.0], [9.5e8, 9.5e8, 1e9], 2, PosteriorConfig())
    assert order.probabilities == pytest.approx(np.array([[1, 0], [0, 1], [0, 0]]), abs=1e-5)


def test_a_pool_of_one_or_none_has_one_order():
    assert thompson_order([2.0], [3.0], 1, PosteriorConfig()).probabilities.tolist() == [[1]]
    assert thompson_order([], [], 0, PosteriorConfig()).probabilities.shape == (0, 0)
    assert uniform_order(0, 2).probabilities.shape == (0, 0)


def test_the_posterior_adds_counts_to_the_prior():
    first, second = beta_posterior([3, 0], [7, 0.5], PosteriorConfig(prior_successes=1, prior_failures=20))
    assert (first.tolist(), second.tolist()) == ([4, 1], [27, 20.5])


@pytest.mark.parametrize(
    ("successes", "failures"), [([-1], [1]), ([1], [math.nan]), ([math.inf], [1]), ([1, 2], [1]), (1, 1)]
)
def test_the_posterior_refuses_counts_that_make_no_sense(successes, failures):
    with pytest.raises(ValueError, match="successes"):
        beta_posterior(successes, failures, PosteriorConfig())


@pytest.mark.parametrize(
    ("first", "second", "n_places"),
    [([0.0], [1.0], 1), ([1.0], [math.inf], 1), ([1.0, 2.0], [1.0], 1), ([1.0], [1.0], 2), ([1.0], [1.0], -1)],
)
def test_the_order_refuses_what_makes_no_sense(first, second, n_places):
    with pytest.raises(ValueError, match=r"posterior must|items for"):
        thompson_order(first, second, n_places, PosteriorConfig())


def test_thompson_refuses_a_pool_that_its_order_is_not_of(rng):
    order = thompson_order(*POSTERIOR, 3, PosteriorConfig())
    with pytest.raises(ValueError, match="among the first"):
        thompson(RANKED, [90, 91, 92, 10], POSTERIOR, order, CONFIG, rng)
    with pytest.raises(ValueError, match="must be of the 3 items"):
        thompson(RANKED, POOL[:3], POSTERIOR, order, CONFIG, rng)
    with pytest.raises(ValueError, match="for 3 places"):
        thompson(RANKED, POOL, POSTERIOR, thompson_order(*POSTERIOR, 2, PosteriorConfig()), CONFIG, rng)


@pytest.mark.parametrize(("ranked", "pool"), [([1, 1], [2]), ([1], [2, 2]), ([[1]], [2]), ([1], 2)])
def test_refuses_ids_that_are_repeated(rng, ranked, pool):
    with pytest.raises(ValueError, match=r"every id once|one dimension"):
        epsilon_greedy(ranked, pool, CONFIG, rng)


@pytest.mark.parametrize(
    ("length", "slots", "epsilon"),
    [
        (0, (), 0.1),
        (3, (3,), 0.1),
        (3, (-1,), 0.1),
        (3, (1, 1), 0.1),
        (3, (2, 1), 0.1),
        (3, (1,), 1.1),
        (3, (1,), math.nan),
    ],
)
def test_the_config_refuses_slots_that_make_no_sense(length, slots, epsilon):
    with pytest.raises(ValueError, match=r"epsilon|Slots"):
        ExplorationConfig(length=length, slots=slots, epsilon=epsilon)


@pytest.mark.parametrize("values", [{"prior_successes": 0}, {"prior_failures": math.inf}, {"points_per_item": 3}])
def test_the_config_refuses_a_prior_that_makes_no_sense(values):
    with pytest.raises(ValueError, match=r"prior|points_per_item"):
        PosteriorConfig(**values)
