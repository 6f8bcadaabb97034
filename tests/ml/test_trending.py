from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ml.decay import add_heats
from ml.trending import (
    TrendingConfig,
    counts_of_heats,
    decayed_counts,
    levels,
    surprise,
    top_of_region,
    trending,
    windowed_counts,
)

WORLD = [-1, 0, 0, 1, 1]  # a world, two countries, two cities in the first
forests = st.lists(st.integers(0, 10**6), min_size=1, max_size=12).map(
    lambda draws: [draw % (place + 1) - 1 for place, draw in enumerate(draws)]
)


def plain_line(region, parents):
    line = [region]
    while parents[line[-1]] >= 0:
        line.append(parents[line[-1]])
    return line


def plain_scores(recent, baseline, parents, config, region, item):
    """The formulas of the module, one region and item at a time."""
    n_items = recent.shape[1]

    def rolled(counts, of):
        return sum(counts[other] for other in range(len(parents)) if of in plain_line(other, parents))

    share, usual, growth = 1 / n_items, 1 / n_items, 1.0
    for level in reversed(plain_line(region, parents)):
        now, before = rolled(recent, level), rolled(baseline, level)
        share = (now[item] + config.share_weight * share) / (now.sum() + config.share_weight)
        usual = (before[item] + config.share_weight * usual) / (before.sum() + config.share_weight)
        expected = now.sum() * usual
        growth = (now[item] + config.growth_weight * growth) / (expected + config.growth_weight)
    return share, growth, share ** (1 - config.growth_exponent) * growth**config.growth_exponent


@given(forests, st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 1.0]))
def test_gives_what_the_formulas_give(parents, seed, exponent):
    rng = np.random.default_rng(seed)
    shape = (len(parents), 3)
    recent, baseline = rng.poisson(2, shape) * 1.5, rng.poisson(8, shape)
    config = TrendingConfig(share_weight=7.0, growth_weight=3.0, growth_exponent=exponent)
    scored = trending(recent, baseline, parents, config)
    region, item = int(rng.integers(shape[0])), int(rng.integers(3))
    found = [values[region, item] for values in (scored.share, scored.growth, scored.score)]
    assert found == pytest.approx(plain_scores(recent, baseline, parents, config, region, item))
    assert scored.share.sum(axis=1) == pytest.approx(np.ones(len(parents)))


@given(forests, st.integers(0, 2**32 - 1))
def test_the_source_has_the_largest_part_of_the_share(parents, seed):
    rng = np.random.default_rng(seed)
    recent = rng.poisson(0.7, (len(parents), 3))
    config = TrendingConfig(share_weight=4.0)
    scored = trending(recent, recent, parents, config)
    for region in range(len(parents)):
        line, carried, parts = plain_line(region, parents), 1.0, []
        for level in line:
            now = sum(recent[other] for other in range(len(parents)) if level in plain_line(other, parents))
            parts.append(carried * now / (now.sum() + 4.0))
            carried *= 4.0 / (now.sum() + 4.0)
        for item, part in enumerate(np.transpose(parts)):
            if part.max() == 0:
                assert scored.source[region, item] == -1
            else:
                assert part[line.index(scored.source[region, item])] == pytest.approx(part.max())
        assert np.sum(parts, axis=0) + carried / 3 == pytest.approx(scored.share[region])


def test_a_region_without_events_has_the_scores_of_its_parent_and_names_it():
    recent, baseline = np.zeros((5, 3)), np.ones((5, 3))
    recent[2], baseline[3:] = [0, 300, 40], 0
    scored = trending(recent, baseline, WORLD, TrendingConfig())
    assert scored.growth[3] == pytest.approx(scored.growth[1])
    top = top_of_region(scored, 3, 5)
    assert top.items.tolist() == [1, 2]
    assert top.source.tolist() == [0, 0]


def test_a_region_with_many_events_speaks_for_itself():
    recent = np.array([[0, 0], [10, 5000], [90_000, 10], [0, 1], [1, 1]])
    top = top_of_region(trending(recent, np.ones((5, 2)), WORLD, TrendingConfig()), 1, 1)
    assert (top.items.tolist(), top.source.tolist()) == ([1], [1])


def test_growth_puts_the_newly_asked_for_before_the_always_asked_for():
    recent, baseline = np.array([[100.0, 60.0]]), np.array([[1000.0, 10.0]])
    volume = trending(recent, baseline, [-1], TrendingConfig(growth_exponent=0))
    growth = trending(recent, baseline, [-1], TrendingConfig(growth_exponent=1))
    assert top_of_region(volume, 0, 2).items.tolist() == [0, 1]
    assert top_of_region(growth, 0, 2).items.tolist() == [1, 0]
    assert growth.growth[0, 0] < 1 < growth.growth[0, 1]


def test_one_event_of_a_new_item_outranks_no_real_trend():
    recent, baseline = np.array([[200.0, 1.0, 300.0]]), np.array([[200.0, 0.0, 4000.0]])
    scored = trending(recent, baseline, [-1], TrendingConfig(growth_exponent=1))
    assert top_of_region(scored, 0, 1).items.tolist() == [0]


def test_more_of_everything_makes_nothing_grow():
    usual = np.array([[50_000.0, 20_000.0, 5_000.0]])
    scored = trending(usual * 7, usual, [-1], TrendingConfig())
    assert scored.growth == pytest.approx(np.ones((1, 3)), abs=0.02)


@given(st.integers(0, 500), st.integers(0, 500))
def test_another_event_never_lowers_an_item(count, other):
    def score(now):
        return trending([[now, other]], [[20, 20]], [-1], TrendingConfig()).score[0, 0]

    assert score(count + 1) >= score(count)


def test_surprise_of_poisson_counts_has_about_a_variance_of_one(rng):
    for mean in (4, 30, 1000):
        values = surprise(rng.poisson(mean, 20_000).astype(float), np.full(20_000, float(mean)))
        assert values.mean() == pytest.approx(0, abs=0.3 / math.sqrt(mean) + 0.03)
        assert values.std() == pytest.approx(1, abs=0.07)
    exact = stats.norm.isf(stats.poisson.sf(139, 100))
    assert surprise(np.array([140.0]), np.array([100.0]))[0] == pytest.approx(exact, abs=0.15)


def test_a_top_list_can_ask_for_surprise_where_the_score_comes_from():
    recent = np.array([[500.0, 30.0], [0.0, 0.0]])
    scored = trending(recent, [[1000.0, 1.0], [0.0, 0.0]], [-1, 0], TrendingConfig())
    assert scored.surprise[1].max() <= 0
    assert top_of_region(scored, 1, 5, minimum_surprise=2.0).items.tolist() == [1]


def test_a_top_list_breaks_ties_by_index_and_leaves_out_what_nobody_asks_for():
    scored = trending([[5, 0, 5, 9]], [[1, 1, 1, 1]], [-1], TrendingConfig())
    top = top_of_region(scored, 0, 10)
    assert top.items.tolist() == [3, 0, 2]
    assert top.score.tolist() == scored.score[0, [3, 0, 2]].tolist()
    assert top_of_region(scored, 0, 0).items.size == 0


@pytest.mark.parametrize(("region", "k"), [(-1, 3), (1, 3), (0, -1)])
def test_a_top_list_refuses_regions_that_do_not_exist(region, k):
    scored = trending([[1]], [[1]], [-1], TrendingConfig())
    with pytest.raises(ValueError, match="region"):
        top_of_region(scored, region, k)


@given(forests, st.randoms(use_true_random=False))
def test_levels_put_parents_before_children_in_any_numbering(parents, random):
    names = list(range(len(parents)))
    random.shuffle(names)
    renamed = [0] * len(parents)
    for region, parent in enumerate(parents):
        renamed[names[region]] = -1 if parent < 0 else names[parent]
    found = levels(renamed)
    depth = {region: level for level, regions in enumerate(found) for region in regions.tolist()}
    assert sorted(depth) == list(range(len(parents)))
    assert all(depth[region] == len(plain_line(region, renamed)) - 1 for region in depth)


@pytest.mark.parametrize("parents", [[0], [1, 0], [-1, 2, 3, 1, 1], [1, 2, 3, 4, 5, 6, 0]])
def test_levels_refuse_a_cycle(parents):
    with pytest.raises(ValueError, match="cycle"):
        levels(parents)


@pytest.mark.parametrize("parents", [[1], [-2], [[-1]], [-1.0], [-1, 2]])
def test_levels_refuse_parents_that_are_none(parents):
    with pytest.raises(ValueError, match=r"[Pp]arents must"):
        levels(parents)


def test_a_long_chain_of_regions_has_as_many_levels():
    assert [level.tolist() for level in levels(list(range(-1, 64)))] == [[region] for region in range(65)]


def test_without_regions_or_items_there_is_nothing():
    assert levels([]) == []
    assert trending(np.zeros((0, 3)), np.zeros((0, 3)), [], TrendingConfig()).score.shape == (0, 3)
    nothing = trending(np.zeros((2, 0)), np.zeros((2, 0)), [-1, 0], TrendingConfig())
    assert top_of_region(nothing, 1, 3).items.size == 0


@pytest.mark.parametrize(
    ("recent", "baseline", "message"),
    [
        ([[-1.0]], [[1.0]], "recent must be finite"),
        ([[1.0]], [[math.nan]], "baseline must be finite"),
        ([[1.0], [1.0]], [[1.0]], "a row for each"),
        ([1.0], [[1.0]], "a row for each"),
        ([[1.0, 2.0]], [[1.0]], "shape"),
    ],
)
def test_refuses_counts_that_make_no_sense(recent, baseline, message):
    with pytest.raises(ValueError, match=message):
        trending(recent, baseline, [-1], TrendingConfig())


def test_windowed_counts_take_the_start_and_not_the_end():
    regions, items, ages = [0, 0, 0, 1, 1], [2, 2, 2, 0, 0], [0, 9.9, 10, 5, -1]
    assert windowed_counts(regions, items, ages, (0, 10), (2, 3)).tolist() == [[0, 0, 2], [1, 0, 0]]
    assert windowed_counts(regions, items, ages, (10, 20), (2, 3)).tolist() == [[0, 0, 1], [0, 0, 0]]
    assert windowed_counts([], [], [], (0, 1), (1, 2)).tolist() == [[0, 0]]


def test_decayed_counts_are_those_of_heats():
    times, now, half_life = [100.0, 130.0, 160.0], 170.0, 30.0
    heat = -math.inf
    for time in times:
        heat = add_heats(heat, time / half_life)
    counted = decayed_counts([0] * 3, [1] * 3, [now - time for time in times], half_life, (1, 2))
    assert counts_of_heats([[-math.inf, heat]], now, half_life) == pytest.approx(counted, rel=1e-6)
    assert counted[0, 1] == pytest.approx(2 ** (-1 / 3) + 2 ** (-4 / 3) + 2 ** (-7 / 3))


@pytest.mark.parametrize(
    ("regions", "items", "ages"),
    [([2], [0], [1]), ([0], [3], [1]), ([-1], [0], [1]), ([0], [0, 0], [1]), ([0], [0], [math.nan])],
)
def test_counting_refuses_events_that_make_no_sense(regions, items, ages):
    with pytest.raises(ValueError, match=r"lie within|same length|finite"):
        windowed_counts(regions, items, ages, (0, 10), (2, 3))
    with pytest.raises(ValueError, match=r"lie within|same length|finite"):
        decayed_counts(regions, items, ages, 10, (2, 3))


def test_counting_refuses_empty_windows_and_half_lives_that_are_none():
    with pytest.raises(ValueError, match="end after"):
        windowed_counts([0], [0], [1], (10, 10), (1, 1))
    with pytest.raises(ValueError, match="half-life"):
        decayed_counts([0], [0], [1], 0, (1, 1))
    with pytest.raises(ValueError, match="half-life"):
        counts_of_heats([1.0], 0, math.nan)


@pytest.mark.parametrize(
    "values",
    [
        {"share_weight": 0},
        {"growth_weight": -1},
        {"share_weight": math.inf},
        {"growth_exponent": 1.1},
        {"growth_exponent": math.nan},
    ],
)
def test_the_config_refuses_weights_that_make_no_sense(values):
    with pytest.raises(ValueError, match=r"must (be|lie)"):
        TrendingConfig(**values)
