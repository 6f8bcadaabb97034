from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.drift import DriftConfig, chance_psi, compare_histograms, compare_samples, histogram, quantile_edges

counts = st.integers(2, 8).flatmap(
    lambda bins: st.tuples(*[st.lists(st.integers(0, 1000), min_size=bins, max_size=bins).filter(any)] * 2)
)
RAW = DriftConfig(smoothing=0)


def test_the_divergence_is_that_of_scipy(rng):
    before, now = rng.integers(1, 100, 12), rng.integers(1, 100, 12)
    found = compare_histograms(before, now, RAW)
    assert found.kl == pytest.approx(scipy.stats.entropy(now, before))
    assert found.psi == pytest.approx(scipy.stats.entropy(now, before) + scipy.stats.entropy(before, now))


def test_by_hand():
    found = compare_histograms([50, 50], [25, 75], RAW)
    assert found.psi == pytest.approx(0.25 * math.log(3))
    assert found.kl == pytest.approx(0.25 * math.log(0.5) + 0.75 * math.log(1.5))


@given(counts, st.floats(0.01, 5))
def test_drift_is_finite_and_never_negative_and_psi_the_same_both_ways(both, smoothing):
    before, now = both
    config = DriftConfig(smoothing=smoothing)
    there, back = compare_histograms(before, now, config), compare_histograms(now, before, config)
    assert there.psi == pytest.approx(back.psi)
    assert there.psi == pytest.approx(there.kl + back.kl)
    assert -1e-12 <= there.kl <= there.psi + 1e-12 < math.inf


@given(counts, st.integers(1, 50), st.floats(0, 5))
def test_the_same_shares_of_another_size_are_no_drift(both, times, smoothing):
    before = np.array(both[0])
    found = compare_histograms(before, before * times, DriftConfig(smoothing=smoothing))
    assert found.psi == pytest.approx(0, abs=1e-12)


@given(counts)
def test_more_smoothing_finds_less(both):
    found = [compare_histograms(*both, DriftConfig(smoothing=smoothing)).psi for smoothing in (0.1, 1, 10)]
    assert found[0] + 1e-12 >= found[1] >= found[2] - 1e-12


def test_without_smoothing_what_was_never_seen_is_infinitely_far():
    assert compare_histograms([1, 0], [1, 1], RAW).kl == math.inf
    assert compare_histograms([1, 1], [1, 0], RAW).psi == math.inf


def test_bins_that_are_nearly_empty_do_not_tell_samples_of_different_sizes_apart():
    many = [500_000, 500_000, *[1] * 50]
    assert compare_histograms(many, [50, 50, *[0] * 50]).psi < 0.001


def test_a_shift_is_found_and_grows(rng):
    reference = rng.normal(size=5000)
    found = [compare_samples(reference, rng.normal(shift, 1, 5000)).psi for shift in (0, 0.2, 1)]
    assert found[0] < 0.02 < found[1] < 0.1 < 0.25 < found[2]


@pytest.mark.parametrize(("n", "m"), [(1000, 1000), (5000, 100)])
def test_samples_of_one_distribution_pass_the_chance_level_in_one_of_twenty_cases(n, m, rng):
    found = [compare_samples(rng.exponential(size=n), rng.exponential(size=m)) for _ in range(400)]
    assert 0.02 < np.mean([each.psi > each.chance for each in found]) < 0.09


def test_the_chance_level_is_a_quantile_of_chi_square():
    assert chance_psi(1000, 500, 10, 0.9) == pytest.approx(0.003 * scipy.stats.chi2.ppf(0.9, 9))
    assert chance_psi(1000, 500, 1) == 0
    assert compare_histograms([500, 0, 500], [250, 0, 250]).chance == pytest.approx(chance_psi(1000, 500, 2))


def test_the_reference_fills_its_bins_evenly(rng):
    reference = rng.normal(size=1000)
    edges = quantile_edges(reference, bins=8)
    assert len(edges) == 7
    assert histogram(reference, edges).tolist() == [125] * 8


@settings(max_examples=50)
@given(
    st.lists(st.integers(-3, 3) | st.floats(-1e6, 1e6), min_size=1, max_size=60),
    st.lists(st.floats(-1e7, 1e7), min_size=1, max_size=60),
    st.integers(2, 12),
)
def test_every_value_lies_between_the_edges_of_its_bin(reference, values, bins):
    edges = quantile_edges(reference, bins)
    assert (np.diff(edges) > 0).all()
    found = histogram(values, edges)
    bounds = [-math.inf, *edges, math.inf]
    expected = [sum(low < value <= high for value in values) for low, high in itertools.pairwise(bounds)]
    assert found.tolist() == expected


def test_a_value_that_alone_fills_bins_has_one_of_its_own():
    reference = np.array([0.0] * 70 + list(range(1, 31)))
    edges = quantile_edges(reference, bins=10)
    assert histogram([0.0, 0.0, -1.0, 0.5], edges)[:2].tolist() == [1, 2]


@pytest.mark.parametrize("now", [4.0, 6.0])
def test_a_constant_that_moves_either_way_has_drifted(now):
    assert compare_samples([5.0] * 100, [5.0] * 80).psi == 0
    assert compare_samples([5.0] * 100, [now] * 80).psi > 1


@pytest.mark.parametrize("sample", [[], [math.nan], [math.inf, 1.0], [[1.0]]])
def test_refuses_samples_that_are_none(sample):
    with pytest.raises(ValueError, match="sample"):
        compare_samples(sample, [1.0])
    with pytest.raises(ValueError, match="sample"):
        compare_samples([1.0], sample)


@pytest.mark.parametrize("edges", [[1.0, 0.0], [1.0, 1.0], [[1.0]], [0.0, math.nan]])
def test_refuses_edges_that_do_not_ascend(edges):
    with pytest.raises(ValueError, match="Edges"):
        histogram([1.0], edges)


@pytest.mark.parametrize("bad", [[], [0, 0], [-1, 2], [math.nan, 1], [[1, 1]]])
def test_refuses_histograms_that_are_none(bad):
    with pytest.raises(ValueError, match="histogram"):
        compare_histograms(bad, [1, 1])
    with pytest.raises(ValueError, match="histogram"):
        compare_histograms([1, 1], bad)


def test_refuses_histograms_of_other_bins():
    with pytest.raises(ValueError, match="same bins, not 2 and 3"):
        compare_histograms([1, 1], [1, 1, 1])


@pytest.mark.parametrize("values", [{"bins": 1}, {"smoothing": -1}, {"smoothing": math.nan}, {"smoothing": math.inf}])
def test_refuses_a_config_that_makes_no_sense(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        DriftConfig(**values)


@pytest.mark.parametrize(
    ("n", "m", "bins", "confidence"), [(0, 1, 2, 0.9), (1, -1, 2, 0.9), (1, 1, 0, 0.9), (1, 1, 2, 1)]
)
def test_refuses_a_chance_of_nothing(n, m, bins, confidence):
    with pytest.raises(ValueError, match=r"above 0|between 0 and 1"):
        chance_psi(n, m, bins, confidence)
