from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.sequential import always_valid, tightest_mixture

RUNS, LOOKS, STEP = 1000, 150, 40


def _peeks(rng, effect=0.0):
    """Differences (RUNS, LOOKS) after each STEP more units of both variants, and their estimated variances."""
    units = STEP * np.arange(1, LOOKS + 1)
    means, spreads = [], []
    for mean in (0.0, effect):
        # The sums and squared sums of STEP normal numbers, drawn without the numbers.
        sums = rng.normal(STEP * mean, math.sqrt(STEP), (RUNS, LOOKS))
        squares = rng.chisquare(STEP - 1, (RUNS, LOOKS)) + sums**2 / STEP
        means.append(sums.cumsum(axis=1) / units)
        spreads.append((squares.cumsum(axis=1) / units - means[-1] ** 2) * units / (units - 1))
    return means[1] - means[0], (spreads[0] + spreads[1]) / units


@pytest.mark.parametrize("times", [1, 10, 100])
def test_peeking_keeps_the_rate_of_false_alarms_where_a_z_test_does_not(times, rng):
    differences, squared_errors = _peeks(rng)
    mixture = times * tightest_mixture(2 / (STEP * LOOKS))
    found = [always_valid(*looks, mixture) for looks in zip(differences, squared_errors, strict=True)]
    alarms = np.mean([sequence.p_values[-1] <= 0.05 for sequence in found])
    assert 0.005 < alarms <= 0.05
    assert np.mean((np.abs(differences) > 1.96 * np.sqrt(squared_errors)).any(axis=1)) > 0.3


def test_the_sequence_holds_the_truth_at_all_looks_and_finds_it(rng):
    differences, squared_errors = _peeks(rng, effect=0.1)
    mixture = tightest_mixture(2 / (STEP * LOOKS))
    found = [always_valid(*looks, mixture) for looks in zip(differences, squared_errors, strict=True)]
    assert np.mean([sequence.low[-1] <= 0.1 <= sequence.high[-1] for sequence in found]) >= 0.95
    assert np.mean([sequence.p_values[-1] <= 0.05 for sequence in found]) > 0.9


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(0.01, 2)), min_size=1, max_size=20),
    st.floats(0.01, 10),
    st.sampled_from([0.8, 0.95, 0.99]),
)
def test_the_p_value_rejects_just_when_the_interval_leaves_zero_out(looks, mixture, confidence):
    differences, squared_errors = (list(column) for column in zip(*looks, strict=True))
    found = always_valid(differences, squared_errors, mixture, confidence)
    outside = (found.low > 0) | (found.high < 0)
    clear = np.abs(found.p_values - (1 - confidence)) > 1e-9
    assert ((found.p_values < 1 - confidence) == outside)[clear].all()
    assert (np.diff(found.p_values) <= 0).all()
    assert (np.diff(found.low) >= 0).all()
    assert (np.diff(found.high) <= 0).all()


@pytest.mark.parametrize(("difference", "squared_error", "mixture"), [(0.3, 0.01, 0.05), (2.0, 0.4, 1.0)])
def test_the_likelihood_ratio_is_that_of_the_mixture(difference, squared_error, mixture):
    found = always_valid([difference], [squared_error], mixture)
    mixed = scipy.stats.norm.pdf(difference, 0, math.sqrt(squared_error + mixture))
    null = scipy.stats.norm.pdf(difference, 0, math.sqrt(squared_error))
    assert found.p_values[0] == pytest.approx(min(1, null / mixed))


def test_a_look_without_variance_says_nothing():
    found = always_valid([5.0, 0.0, 0.1], [0.0, 0.0, 1.0], 1.0)
    assert found.p_values.tolist() == [1, 1, 1]
    assert (found.low[1], found.high[1]) == (-math.inf, math.inf)
    assert math.isfinite(found.low[2])


def test_looks_that_contradict_each_other_leave_nothing_between():
    found = always_valid([5.0, -5.0], [0.1, 0.1], 1.0)
    assert found.low[1] > found.high[1]


def test_no_looks_are_an_empty_sequence():
    assert always_valid([], [], 1.0).p_values.shape == (0,)


@pytest.mark.parametrize(
    ("differences", "squared_errors", "mixture", "said"),
    [
        ([1.0], [1.0, 2.0], 1.0, "same length"),
        ([[1.0]], [[1.0]], 1.0, "one dimension"),
        ([math.nan], [1.0], 1.0, "finite"),
        ([1.0], [-1.0], 1.0, "negative"),
        ([1.0], [math.inf], 1.0, "finite"),
        ([1.0], [1.0], 0.0, "mixture_variance"),
        ([1.0], [1.0], math.inf, "mixture_variance"),
    ],
)
def test_refuses_looks_that_make_no_sense(differences, squared_errors, mixture, said):
    with pytest.raises(ValueError, match=said):
        always_valid(differences, squared_errors, mixture)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_no_other_mixture_makes_the_interval_narrower(confidence):
    def width(log_mixture):
        return always_valid([0.0], [0.02], math.exp(log_mixture), confidence).high[0]

    best = scipy.optimize.minimize_scalar(width, bounds=(-10, 5), method="bounded").x
    assert math.log(tightest_mixture(0.02, confidence)) == pytest.approx(best, abs=1e-3)


@pytest.mark.parametrize("squared_error", [0, -1, math.nan, math.inf])
def test_refuses_a_mixture_for_no_variance(squared_error):
    with pytest.raises(ValueError, match="squared_error"):
        tightest_mixture(squared_error)


@pytest.mark.parametrize("confidence", [0, 1, 95, math.nan])
def test_refuses_a_confidence_that_is_none(confidence):
    with pytest.raises(ValueError, match="confidence"):
        always_valid([0.0], [1.0], 1.0, confidence)
    with pytest.raises(ValueError, match="confidence"):
        tightest_mixture(1.0, confidence)
