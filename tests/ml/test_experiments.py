from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint, proportions_ztest

from ml.experiments import (
    Moments,
    Proportion,
    compare_means,
    compare_proportions,
    compare_ratios,
    cuped,
    moments,
    ratio_moments,
    sample_ratio,
)

proportions = st.integers(1, 5000).flatmap(
    lambda trials: st.builds(Proportion, st.integers(0, trials), st.just(trials))
)
confidences = st.sampled_from([0.8, 0.95, 0.99])


@settings(max_examples=40)
@given(proportions, proportions, confidences)
def test_proportions_are_compared_as_by_statsmodels(control, treatment, confidence):
    found = compare_proportions(control, treatment, confidence)
    successes, trials = [treatment.successes, control.successes], [treatment.trials, control.trials]
    if 0 < sum(successes) < sum(trials):
        assert found.p_value == pytest.approx(proportions_ztest(successes, trials)[1], abs=1e-12)
    expected = confint_proportions_2indep(
        treatment.successes,
        treatment.trials,
        control.successes,
        control.trials,
        method="newcomb",
        compare="diff",
        alpha=1 - confidence,
    )
    assert found.interval == pytest.approx(expected, abs=1e-9)
    assert found.difference == pytest.approx(treatment.rate - control.rate)


@settings(max_examples=40)
@given(proportions, confidences)
def test_the_score_interval_is_that_of_statsmodels(proportion, confidence):
    expected = proportion_confint(proportion.successes, proportion.trials, 1 - confidence, method="wilson")
    assert proportion.score_interval(confidence) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("successes", [0, 40])
def test_rates_of_none_or_all_are_no_difference_and_still_unsure(successes):
    found = compare_proportions(Proportion(successes, 40), Proportion(successes, 40))
    assert found.p_value == 1
    assert found.interval.low < 0 < found.interval.high


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (-1, 3), (4, 3)])
def test_refuses_a_proportion_that_is_none(successes, trials):
    with pytest.raises(ValueError, match="no proportion"):
        Proportion(successes, trials)


@pytest.mark.parametrize("sizes", [(2, 2), (30, 80), (500, 20)])
def test_means_are_compared_as_by_scipy(sizes, rng):
    control, treatment = rng.normal(0, 1, sizes[0]), rng.normal(0.3, 4, sizes[1])
    expected = scipy.stats.ttest_ind(treatment, control, equal_var=False)
    for confidence in (0.8, 0.95):
        found = compare_means(moments(control), moments(treatment), confidence)
        assert found.p_value == pytest.approx(expected.pvalue)
        assert found.difference / found.error == pytest.approx(expected.statistic)
        assert found.interval == pytest.approx(tuple(expected.confidence_interval(confidence)))


@settings(max_examples=40)
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30))
def test_variants_turned_round_give_the_opposite_effect(control, treatment):
    there = compare_means(moments(control), moments(treatment))
    back = compare_means(moments(treatment), moments(control))
    assert there.difference == -back.difference
    assert there.interval == pytest.approx((-back.interval.high, -back.interval.low))
    assert there.p_value == pytest.approx(back.p_value)
    assert 0 <= there.p_value <= 1


def test_constants_differ_surely_or_not_at_all():
    same = compare_means(moments([0.1] * 3), moments([0.1] * 7))
    assert (same.p_value, same.interval) == (1, (0, 0))
    other = compare_means(moments([1.0] * 3), moments([3.0] * 7))
    assert (other.p_value, other.interval) == (0, (2, 2))


def test_what_only_rounding_tells_apart_is_the_same():
    # As of a ratio that is 0.3 for every user, summed in another order.
    found = compare_ratios(Moments(99, 0.3, 0.0), Moments(92, 0.1 * 3, 1e-33))
    assert (found.difference, found.p_value) == (0, 1)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((1, 0.0, 1.0), "at least 2"),
        ((2, math.nan, 1.0), "finite"),
        ((2, 0.0, -1.0), "negative"),
        ((2, 0.0, math.inf), "finite"),
    ],
)
def test_refuses_moments_that_make_no_sense(values, said):
    with pytest.raises(ValueError, match=said):
        Moments(*values)


@pytest.mark.parametrize("confidence", [0, 1, 95, math.nan])
def test_refuses_a_confidence_that_is_none(confidence):
    known, rate = Moments(10, 1.0, 1.0), Proportion(1, 10)
    for compare in (compare_means, compare_ratios):
        with pytest.raises(ValueError, match="confidence"):
            compare(known, known, confidence)
    with pytest.raises(ValueError, match="confidence"):
        compare_proportions(rate, rate, confidence)


def _clicks(rng, users, lift=0.0):
    """Clicks and impressions of users who differ both in how much they see and in how much they like."""
    shown = rng.geometric(0.1, users)
    return rng.binomial(shown, np.clip(rng.beta(2, 8, users) + lift, 0, 1)), shown


def test_the_variance_of_a_ratio_is_the_delta_methods_and_that_of_resampled_users(rng):
    clicks, shown = _clicks(rng, 800)
    found = ratio_moments(clicks, shown)
    assert found.mean == pytest.approx(clicks.sum() / shown.sum())
    (clicks_var, both), (_, shown_var) = np.cov(clicks, shown)
    textbook = clicks_var - 2 * found.mean * both + found.mean**2 * shown_var
    assert found.variance == pytest.approx(textbook / shown.mean() ** 2)
    drawn = rng.integers(0, 800, (2000, 800))
    resampled = clicks[drawn].sum(axis=1) / shown[drawn].sum(axis=1)
    assert math.sqrt(found.squared_error) == pytest.approx(resampled.std(), rel=0.07)


def test_a_ratio_of_one_impression_each_is_a_mean(rng):
    clicks = rng.integers(0, 2, 300)
    ratio, mean = ratio_moments(clicks, np.ones(300)), moments(clicks)
    assert (ratio.mean, ratio.variance) == pytest.approx((mean.mean, mean.variance))


def test_users_as_units_keep_the_rate_of_false_alarms_and_impressions_do_not(rng):
    by_users, by_impressions = [], []
    for _ in range(600):
        control, treatment = _clicks(rng, 300), _clicks(rng, 300)
        by_users.append(compare_ratios(ratio_moments(*control), ratio_moments(*treatment)).p_value)
        sums = [Proportion(int(clicks.sum()), int(shown.sum())) for clicks, shown in (control, treatment)]
        by_impressions.append(compare_proportions(*sums).p_value)
    assert 0.025 < np.mean(np.array(by_users) < 0.05) < 0.08
    assert np.mean(np.array(by_impressions) < 0.05) > 0.1


def test_a_better_ratio_is_found(rng):
    found = compare_ratios(ratio_moments(*_clicks(rng, 3000)), ratio_moments(*_clicks(rng, 3000, lift=0.03)))
    assert found.interval.low < 0.03 < found.interval.high
    assert found.p_value < 0.001
    assert found.interval == pytest.approx(scipy.stats.norm.interval(0.95, found.difference, found.error))


@pytest.mark.parametrize("denominators", [[0, 0], [-1, 2]])
def test_refuses_a_ratio_to_nothing(denominators):
    with pytest.raises(ValueError, match="Denominators"):
        ratio_moments([1, 2], denominators)


@pytest.mark.parametrize(
    ("first", "second"), [([1.0], [1.0]), ([1, 2], [1, 2, 3]), ([[1, 2]], [[1, 2]]), ([1, math.nan], [1, 2])]
)
@pytest.mark.parametrize("pair", [ratio_moments, cuped])
def test_refuses_columns_that_do_not_match(pair, first, second):
    with pytest.raises(ValueError, match="Values must be"):
        pair(first, second)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.inf]])
def test_refuses_moments_of_values_that_are_none(values):
    with pytest.raises(ValueError, match="Values must be"):
        moments(values)


def test_cuped_takes_out_what_the_covariate_explains_and_no_more(rng):
    before = rng.normal(10, 3, 4000)
    after = 2 * before + rng.normal(0, 4, 4000)
    found = cuped(after, before)
    assert found.theta == pytest.approx(scipy.stats.linregress(before, after).slope)
    assert found.variance_reduction == pytest.approx(scipy.stats.pearsonr(before, after).statistic ** 2)
    assert found.values.mean() == pytest.approx(after.mean())
    assert found.values.var() == pytest.approx(after.var() * (1 - found.variance_reduction))
    assert np.corrcoef(found.values, before)[0, 1] == pytest.approx(0, abs=1e-9)


def test_cuped_keeps_the_effect_and_makes_it_surer(rng):
    before, treated = rng.normal(0, 3, 6000), np.arange(6000) % 2 == 1
    after = before + 0.1 * treated + rng.normal(0, 1, 6000)
    adjusted = cuped(after, before).values
    raw = compare_means(moments(after[~treated]), moments(after[treated]))
    found = compare_means(moments(adjusted[~treated]), moments(adjusted[treated]))
    assert found.error < raw.error / 2.5
    assert found.interval.low < 0.1 < found.interval.high
    assert raw.p_value > 0.05 > found.p_value


@pytest.mark.parametrize(("values", "covariate"), [([1.0, 2.0, 4.0], [0.1] * 3), ([0.1] * 3, [1.0, 2.0, 4.0])])
def test_constants_have_nothing_to_adjust(values, covariate):
    found = cuped(values, covariate)
    assert found.values.tolist() == values
    assert (found.theta, found.variance_reduction) == (0, 0)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.floats(0.01, 10)), min_size=2, max_size=5).filter(
        lambda rows: any(count for count, _ in rows)
    )
)
def test_the_sample_ratio_is_tested_as_by_scipy(rows):
    counts, weights = (np.array(column) for column in zip(*rows, strict=True))
    found = sample_ratio(counts, weights)
    expected = scipy.stats.chisquare(counts, counts.sum() * weights / weights.sum())
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue), abs=1e-12)


def test_two_percent_of_many_units_lost_is_a_mismatch_and_of_few_is_not():
    assert sample_ratio([100_000, 98_000], [1, 1]).mismatch()
    assert not sample_ratio([500, 490], [1, 1]).mismatch()
    assert not sample_ratio([9_000, 1_010], [90, 10]).mismatch()
    assert sample_ratio([50_000, 49_400], [1, 1]).mismatch(alpha=0.1)


def test_a_variant_of_weight_zero_must_be_empty():
    assert sample_ratio([10, 0, 10], [1, 0, 1]).p_value == 1
    assert sample_ratio([1000, 1, 1000], [1, 0, 1]).mismatch()


@pytest.mark.parametrize(("counts", "weights"), [([7], [1]), ([0, 0], [1, 1]), ([5, 0], [1, 0])])
def test_nothing_to_compare_is_no_mismatch(counts, weights):
    assert sample_ratio(counts, weights).p_value == 1


@pytest.mark.parametrize(
    ("counts", "weights", "said"),
    [
        ([1, 2], [1], "same length"),
        ([[1]], [[1]], "one dimension"),
        ([-1, 2], [1, 1], "negative"),
        ([1, 2], [1, math.nan], "finite"),
        ([1, 2], [0, 0], "above 0"),
        ([], [], "above 0"),
    ],
)
def test_refuses_a_sample_ratio_of_nonsense(counts, weights, said):
    with pytest.raises(ValueError, match=said):
        sample_ratio(counts, weights)
