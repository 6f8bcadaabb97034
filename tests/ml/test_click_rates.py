from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from ml.click_rates import (
    PositionModelConfig,
    fit_position_model,
    harvested_examination,
    inverse_propensity_weights,
    smoothed_rates,
)

EXAMINATION = np.array([1.0, 0.6, 0.45, 0.2])


def simulate(rng, n, placements_of, attractiveness):
    """A log of `n` impressions in which better items are placed as `placements_of` (n_items, n_positions) says."""
    items = rng.integers(0, len(attractiveness), n)
    edges = placements_of[items].cumsum(axis=1)
    positions = (rng.random(n)[:, None] * edges[:, -1:] > edges).sum(axis=1)
    clicks = (rng.random(n) < EXAMINATION[positions] * attractiveness[items]).astype(int)
    return positions, items, clicks


def test_by_hand():
    items, categories, overall = smoothed_rates([5, 0, 0, 1], [10, 0, 90, 100], [[0, 0, 1, 1]], weight=10)
    whole = 6 / 200
    first, second = (5 + 10 * whole) / 20, (1 + 10 * whole) / 200
    assert overall.tolist() == [whole]
    assert categories == pytest.approx([first, second])
    assert items == pytest.approx([(5 + 10 * first) / 20, first, 10 * second / 100, (1 + 10 * second) / 110])


def test_levels_may_be_any_number_and_groups_empty():
    levels = smoothed_rates([1, 2], [4, 4], [[0, 0], [1, 0, 1], [0, 0]])
    assert [len(level) for level in levels] == [2, 3, 2, 1, 1]
    assert levels[1][1] == pytest.approx(levels[2][0])
    assert smoothed_rates([3], [4])[1].tolist() == [0.75]


counts = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=10)


@given(counts, st.floats(0.1, 1000), st.integers(1, 4))
def test_a_rate_lies_between_its_own_and_its_parents(pairs, weight, n_groups):
    clicks, impressions = np.array([(low, low + more) for low, more in pairs]).T
    groups = np.arange(len(clicks)) % n_groups
    items, categories, _ = smoothed_rates(clicks, impressions, [groups], weight)
    parent = categories[groups]
    raw = np.divide(clicks, impressions, out=parent.copy(), where=impressions > 0)
    assert np.all((np.minimum(raw, parent) - 1e-12 <= items) & (items <= np.maximum(raw, parent) + 1e-12))
    assert np.all(np.abs(items - parent) <= np.abs(raw - parent) * impressions / (impressions + weight) + 1e-12)


def test_nothing_shown_is_a_rate_of_nothing():
    assert [level.tolist() for level in smoothed_rates([0, 0], [0, 0], [[0, 0]])] == [[0, 0], [0], [0]]
    assert [level.tolist() for level in smoothed_rates([], [], [np.zeros(0, int)])] == [[], [], [0]]


@pytest.mark.parametrize(
    ("clicks", "impressions", "groups", "message"),
    [
        ([2], [1], [], "as many impressions"),
        ([-1], [1], [], "0 or more clicks"),
        ([0], [math.inf], [], "finite"),
        ([math.nan], [1], [], "finite"),
        ([1, 1], [2], [], "same length"),
        ([1, 1], [2, 2], [[0]], "one group"),
        ([1, 1], [2, 2], [[0.0, 1.0]], "integer"),
        ([1, 1], [2, 2], [[0, -1]], "0 or more"),
        ([1, 1], [2, 2], [[0, 2], [0, 0]], "one group"),
    ],
)
def test_refuses_counts_and_groups_that_make_no_sense(clicks, impressions, groups, message):
    with pytest.raises(ValueError, match=message):
        smoothed_rates(clicks, impressions, groups)


@pytest.mark.parametrize("weight", [0, -1, math.nan, math.inf])
def test_refuses_a_weight_that_is_none(weight):
    with pytest.raises(ValueError, match="weight"):
        smoothed_rates([1], [2], weight=weight)


def test_the_position_model_finds_the_examination_under_a_ranker_that_places_good_items_first(rng):
    attractiveness = rng.uniform(0.05, 0.7, 60)
    placements = np.exp(-3 * np.outer(attractiveness, np.arange(4)))
    positions, items, clicks = simulate(rng, 60_000, placements, attractiveness)
    model = fit_position_model(positions, items, clicks, PositionModelConfig())
    naive = np.bincount(positions, clicks) / np.bincount(positions)
    assert model.converged
    assert model.examination == pytest.approx(EXAMINATION, abs=0.05)
    assert np.abs(naive / naive[0] - EXAMINATION).max() > 0.08
    assert np.corrcoef(model.attractiveness, attractiveness)[0, 1] > 0.98


def test_the_likelihood_never_falls_and_ends_where_a_direct_search_ends(rng):
    positions, items, clicks = simulate(rng, 3000, np.ones((5, 4)), np.linspace(0.2, 0.8, 5))
    model = fit_position_model(positions, items, clicks, PositionModelConfig(tolerance=1e-9))
    assert np.all(np.diff(model.log_likelihood) >= -1e-9)

    def loss(logits):
        chance = (1 / (1 + np.exp(-logits[:4])))[positions] * (1 / (1 + np.exp(-logits[4:])))[items]
        return -np.sum(np.where(clicks == 1, np.log(chance), np.log1p(-chance)))

    best = minimize(loss, np.zeros(9), method="L-BFGS-B")
    assert -model.log_likelihood[-1] <= best.fun + 1e-3
    examination = 1 / (1 + np.exp(-best.x[:4]))
    assert model.examination == pytest.approx(examination / examination.max(), abs=0.01)


def test_a_model_stopped_early_says_so_and_an_item_never_shown_is_nan():
    log = [0, 1, 0, 1, 0], [0, 0, 2, 2, 2], [1, 0, 1, 1, 0]
    model = fit_position_model(*log, PositionModelConfig(iterations=1))
    assert not model.converged
    # From 1/2 for all, an impression without a click was examined (or attractive) with the probability 1/3.
    assert model.examination == pytest.approx([1, (4 / 6) / (7 / 9)])
    assert model.attractiveness == pytest.approx([2 / 3 * 7 / 9, math.nan, 7 / 9 * 7 / 9], nan_ok=True)
    chances = [14 / 27, 1 - 14 / 27 * 6 / 7, 49 / 81, 49 / 81 * 6 / 7, 1 - 49 / 81]
    assert model.log_likelihood == pytest.approx([sum(map(math.log, chances))])


def test_a_log_without_clicks_is_fitted():
    model = fit_position_model([0, 1], [0, 0], [0, 0], PositionModelConfig())
    assert np.isfinite(model.examination).all()
    assert model.attractiveness[0] * model.examination.max() < 0.01


@pytest.mark.parametrize(("positions", "items"), [([0, 1], [0, 1]), ([0, 2], [0, 0]), ([0, 1, 2, 3], [0, 0, 1, 1])])
def test_positions_that_nothing_links_cannot_be_compared(positions, items):
    with pytest.raises(ValueError, match="cannot be compared"):
        fit_position_model(positions, items, [1] * len(items), PositionModelConfig())


@pytest.mark.parametrize(
    ("positions", "items", "clicks"),
    [([], [], []), ([0, 0], [0], [1]), ([-1], [0], [1]), ([0.5], [0], [1]), ([0], [0], [2]), ([0], [0], [math.nan])],
)
def test_refuses_a_log_that_makes_no_sense(positions, items, clicks):
    with pytest.raises(ValueError, match=r"same length|integers|0 or 1"):
        fit_position_model(positions, items, clicks, PositionModelConfig())


def test_swaps_of_neighbours_give_the_examination(rng):
    attractiveness = rng.uniform(0.1, 0.9, 40)
    # Good items start further up, and each is swapped with the next position in half of the requests.
    first = np.digitize(-attractiveness, [-0.6, -0.35])
    placements = np.zeros((40, 4))
    placements[np.arange(40), first] = placements[np.arange(40), first + 1] = 0.5
    positions, items, clicks = simulate(rng, 60_000, placements, attractiveness)
    found = harvested_examination(positions, clicks, placements[items])
    assert found == pytest.approx(EXAMINATION, abs=0.04)


def test_uneven_chances_are_weighed_out(rng):
    attractiveness = rng.uniform(0.1, 0.9, 40)
    placements = np.exp(-3 * np.outer(attractiveness, np.arange(4)))
    placements /= placements.sum(axis=1, keepdims=True)
    positions, items, clicks = simulate(rng, 60_000, placements, attractiveness)
    assert harvested_examination(positions, clicks, placements[items]) == pytest.approx(EXAMINATION, abs=0.05)


def test_harvesting_two_positions_is_the_ratio_of_weighted_clicks():
    positions, clicks = [0, 0, 0, 1, 1], [1, 1, 0, 1, 0]
    placements = [[0.8, 0.2], [0.5, 0.5], [0.5, 0.5], [0.2, 0.8], [0.5, 0.5]]
    ratio = (1 / 0.8) / (1 / 0.8 + 1 / 0.5)
    assert harvested_examination(positions, clicks, placements) == pytest.approx([1, ratio])


def test_comparisons_that_disagree_are_weighed_by_their_clicks():
    """Of each pair of positions: its chances, and its clicks at both."""
    pairs = {(0, 1): ((0.5, 0.5), (40, 20)), (1, 2): ((0.2, 0.8), (10, 30)), (0, 2): ((0.5, 0.4), (6, 5))}
    positions, placements, rows, ratios = [], [], [], []
    for pair, (chances, clicks) in pairs.items():
        row = np.zeros(3)
        row[list(pair)] = chances
        positions += [pair[0]] * clicks[0] + [pair[1]] * clicks[1]
        placements += [row] * sum(clicks)
        # Sums of n equal weights: the logarithm of their ratio has a variance of 1 / n + 1 / m.
        accuracy = 1 / math.sqrt(1 / clicks[0] + 1 / clicks[1])
        rows.append(accuracy * (np.eye(3)[pair[0]] - np.eye(3)[pair[1]]))
        ratios.append(accuracy * math.log(clicks[0] / chances[0] / (clicks[1] / chances[1])))
    logarithms = np.linalg.lstsq(np.array(rows), np.array(ratios))[0]
    found = harvested_examination(positions, [1] * len(positions), placements)
    assert found == pytest.approx(np.exp(logarithms - logarithms.max()))


def test_impressions_that_could_be_in_one_place_alone_tell_nothing():
    positions, clicks = [0, 1, 0, 0], [1, 1, 1, 1]
    placements = [[0.5, 0.5], [0.5, 0.5], [1.0, 0.0], [1.0, 0.0]]
    assert harvested_examination(positions, clicks, placements) == pytest.approx([1, 1])


@pytest.mark.parametrize(
    ("positions", "placements", "message"),
    [
        ([0, 1], [[0.0, 1.0], [0.5, 0.5]], "above 0 for the position"),
        ([0, 1], [[0.9, 0.9], [0.5, 0.5]], "probabilities"),
        ([0, 1], [[math.nan, 0.5], [0.5, 0.5]], "probabilities"),
        ([0, 1], [[1.5, -0.5], [0.5, 0.5]], "probabilities"),
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]], "column for each"),
        ([0, 1], [[0.5, 0.5]], "row for each"),
        ([0, 1], [[1.0, 0.0], [0.0, 1.0]], "cannot be compared"),
        ([0, 0], [[0.5, 0.5], [0.5, 0.5]], "cannot be compared"),
    ],
)
def test_harvesting_refuses_placements_that_make_no_sense(positions, placements, message):
    with pytest.raises(ValueError, match=message):
        harvested_examination(positions, [1, 1], placements)


def test_weights_undo_the_bias_of_positions(rng):
    positions = rng.integers(0, 4, 40_000)
    clicks = rng.random(40_000) < EXAMINATION[positions] * 0.5
    weights = inverse_propensity_weights(positions, EXAMINATION)
    per_position = np.bincount(positions, clicks * weights) / np.bincount(positions)
    assert per_position == pytest.approx(np.full(4, 0.5), abs=0.05)


def test_weights_are_clipped():
    assert inverse_propensity_weights([0, 1, 2, 1], [1, 0.25, 0.0], largest=5).tolist() == [1, 4, 5, 4]
    assert inverse_propensity_weights([], [1.0]).shape == (0,)


@pytest.mark.parametrize(
    ("positions", "examination", "largest"),
    [
        ([0], [1.2], 5),
        ([0], [-0.1], 5),
        ([0], [math.nan], 5),
        ([0], [1], 0.5),
        ([1], [1], 5),
        ([-1], [1], 5),
        ([0.0], [1], 5),
    ],
)
def test_weights_refuse_what_makes_no_sense(positions, examination, largest):
    with pytest.raises(ValueError, match=r"Examination must|Positions must"):
        inverse_propensity_weights(positions, examination, largest)


@pytest.mark.parametrize(
    "values", [{"iterations": 0}, {"tolerance": -1}, {"tolerance": math.nan}, {"tolerance": math.inf}]
)
def test_the_config_refuses_what_makes_no_sense(values):
    with pytest.raises(ValueError, match="iterations"):
        PositionModelConfig(**values)
