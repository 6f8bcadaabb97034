from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.off_policy import Observations, effective_sample_size, ips, snips

probabilities = st.floats(0.01, 1)
observations = st.lists(st.tuples(st.floats(-10, 10), probabilities, probabilities), min_size=1, max_size=20)

LOGGING = np.array([0.6, 0.3, 0.1])
TARGET = np.array([0.1, 0.3, 0.6])
EARNS = np.array([0.1, 0.2, 0.5])
TRUTH = float(TARGET @ EARNS)


def _logged(rng, n):
    """Rewards, logged and target probabilities of `n` actions of the logging policy."""
    actions = rng.choice(3, n, p=LOGGING)
    return (rng.random(n) < EARNS[actions]).astype(float), LOGGING[actions], TARGET[actions]


def test_by_hand():
    rewards, logged, target = [1.0, 0.0, 2.0], [0.5, 0.5, 0.25], [0.25, 1.0, 0.5]  # weights 0.5, 2, 2
    found = ips(Observations(rewards, logged, target))
    assert found.value == pytest.approx(4.5 / 3)
    assert found.error == pytest.approx(np.std([0.5, 0, 4], ddof=1) / math.sqrt(3))
    assert found.mean_weight == pytest.approx(1.5)
    assert found.effective == pytest.approx(4.5**2 / 8.25)
    assert snips(Observations(rewards, logged, target)).value == pytest.approx(4.5 / 4.5)


@given(observations)
def test_for_the_logging_policy_itself_both_are_the_mean_reward(rows):
    rewards, logged, _ = map(list, zip(*rows, strict=True))
    for estimator in (ips, snips):
        found = estimator(Observations(rewards, logged, logged))
        assert found.value == pytest.approx(np.mean(rewards), abs=1e-9)
        assert found.effective == pytest.approx(len(rows))
        if len(rows) > 1:
            assert found.error == pytest.approx(np.std(rewards, ddof=1) / math.sqrt(len(rows)), abs=1e-9)


@given(observations)
def test_snips_stays_within_the_rewards_and_moves_with_them(rows):
    rewards, logged, target = (np.array(column) for column in zip(*rows, strict=True))
    found = snips(Observations(rewards, logged, target))
    assert rewards.min() - 1e-9 <= found.value <= rewards.max() + 1e-9
    shifted = snips(Observations(rewards + 5, logged, target))
    assert shifted.value == pytest.approx(found.value + 5)
    assert shifted.error == pytest.approx(found.error, abs=1e-6)


@pytest.mark.parametrize("estimator", [ips, snips])
def test_the_value_is_right_and_its_interval_holds_the_truth_as_often_as_it_says(estimator, rng):
    found = [estimator(Observations(*_logged(rng, 1500))) for _ in range(1000)]
    values = np.array([each.value for each in found])
    assert values.mean() == pytest.approx(TRUTH, abs=4 * values.std() / math.sqrt(1000))
    assert np.mean([each.error for each in found]) == pytest.approx(values.std(), rel=0.1)
    covered = np.mean([each.interval().low <= TRUTH <= each.interval().high for each in found])
    assert 0.925 < covered < 0.97


def test_snips_varies_less_where_rewards_are_far_from_zero(rng):
    rewards, logged, target = _logged(rng, 1500)
    assert (
        snips(Observations(rewards + 10, logged, target)).error
        < ips(Observations(rewards + 10, logged, target)).error / 5
    )


def test_clipping_trades_variance_for_a_bias_downwards(rng):
    rewards, logged, target = _logged(rng, 5000)
    clipped, whole = ips(Observations(rewards, logged, target, clip=2)), ips(Observations(rewards, logged, target))
    assert clipped.error < whole.error
    assert clipped.value < whole.value
    assert clipped.effective > whole.effective
    assert clipped.clipped == np.mean(target / logged > 2)
    assert whole.clipped == 0
    expected = LOGGING * np.minimum(TARGET / LOGGING, 2) @ EARNS
    assert clipped.value == pytest.approx(expected, abs=4 * clipped.error)


def test_a_clip_above_all_weights_changes_nothing(rng):
    logged = _logged(rng, 100)
    assert ips(Observations(*logged, clip=6.1)) == ips(Observations(*logged))
    assert snips(Observations(*logged, clip=6.1)) == snips(Observations(*logged))


def test_a_weight_at_the_clip_is_not_cut():
    assert ips(Observations([1.0, 1.0], [0.25, 0.2], [0.5, 0.8], clip=2)).clipped == 0.5


@pytest.mark.parametrize("estimator", [ips, snips])
def test_repeating_every_observation_adds_nothing_where_users_are_the_units(estimator, rng):
    once = _logged(rng, 200)
    thrice = [np.repeat(column, 3) for column in once]
    users = np.repeat(rng.permutation(200), 3)
    found, expected = estimator(Observations(*thrice, clusters=users)), estimator(Observations(*once))
    assert found.value == pytest.approx(expected.value)
    assert found.error == pytest.approx(expected.error)
    assert estimator(Observations(*thrice)).error < found.error / 1.5


@pytest.mark.parametrize("estimator", [ips, snips])
def test_one_user_has_no_error_that_could_be_known(estimator):
    assert estimator(Observations([1.0], [0.5], [0.5])).interval() == (-math.inf, math.inf)
    assert estimator(Observations([1.0, 0.0], [0.5, 0.5], [0.5, 0.5], clusters=["a", "a"])).error == math.inf


def test_the_interval_is_as_wide_as_its_confidence(rng):
    found = ips(Observations(*_logged(rng, 100)))
    assert found.interval() == pytest.approx(
        (found.value - 1.959964 * found.error, found.value + 1.959964 * found.error)
    )
    assert found.interval(0.99).low < found.interval(0.9).low < found.value


def test_a_target_that_takes_nothing_of_what_was_logged():
    assert ips(Observations([1.0, 1.0], [0.5, 0.5], [0, 0])).value == 0
    with pytest.raises(ValueError, match="none of the logged actions"):
        snips(Observations([1.0, 1.0], [0.5, 0.5], [0, 0]))


@given(st.lists(st.floats(0, 1e300), min_size=1, max_size=20).filter(any))
def test_the_effective_sample_size_lies_between_one_and_all(weights):
    assert 1 - 1e-9 <= effective_sample_size(weights) <= len(weights) + 1e-9


def test_the_effective_sample_size_of_some_equal_weights_is_their_number():
    assert effective_sample_size([3, 3, 0, 3]) == pytest.approx(3)
    assert effective_sample_size([0, 0]) == effective_sample_size([]) == 0


@pytest.mark.parametrize("weights", [[-1.0], [math.nan], [math.inf]])
def test_refuses_weights_that_are_none(weights):
    with pytest.raises(ValueError, match="Weights"):
        effective_sample_size(weights)


@pytest.mark.parametrize(
    ("rewards", "logged", "target", "said"),
    [
        ([1.0], [0.5, 0.5], [0.5], "same length"),
        ([], [], [], "at least 1"),
        ([[1.0]], [[0.5]], [[0.5]], "one dimension"),
        ([math.nan], [0.5], [0.5], "Rewards"),
        ([1.0], [0.0], [0.5], "Logged"),
        ([1.0], [1.1], [0.5], "Logged"),
        ([1.0], [math.nan], [0.5], "Logged"),
        ([1.0], [0.5], [-0.1], "Target"),
        ([1.0], [0.5], [math.nan], "Target"),
    ],
)
@pytest.mark.parametrize("estimator", [ips, snips])
def test_refuses_observations_that_make_no_sense(estimator, rewards, logged, target, said):
    with pytest.raises(ValueError, match=said):
        estimator(Observations(rewards, logged, target))


@pytest.mark.parametrize("clip", [0, -1, math.nan, math.inf])
def test_refuses_a_clip_that_is_none(clip):
    with pytest.raises(ValueError, match="clip"):
        ips(Observations([1.0], [0.5], [0.5], clip=clip))


def test_refuses_clusters_of_other_observations():
    with pytest.raises(ValueError, match="clusters"):
        ips(Observations([1.0, 0.0], [0.5, 0.5], [0.5, 0.5], clusters=[1]))
