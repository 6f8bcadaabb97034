from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.splits import hold_out_last, hold_out_latest, hold_out_random, places_from_last

USERS = st.lists(st.integers(0, 5), max_size=60)


def test_the_latest_are_held_out_whoever_they_are_of():
    assert hold_out_latest([5, 1, 4, 2, 3], share=0.4).tolist() == [True, False, True, False, False]
    assert hold_out_latest([], share=0.4).tolist() == []


def test_the_first_moment_is_never_held_out():
    assert not hold_out_latest([7, 7, 7], share=0.4).any()
    assert hold_out_latest([7, 7, 7, 8], share=0.8).tolist() == [False, False, False, True]


def test_what_happened_at_one_moment_stays_together():
    assert hold_out_latest([1, 2, 2, 2], share=0.25).tolist() == [False, True, True, True]


def test_the_last_of_each_user_is_held_out():
    users, times = [1, 2, 1, 2, 3], [9, 1, 3, 2, 5]
    assert hold_out_last(users, times).tolist() == [True, False, False, True, False]


def test_of_equal_times_the_later_in_the_arrays_is_held_out():
    assert hold_out_last([1, 1, 1], [4, 4, 4]).tolist() == [False, False, True]


def test_a_share_of_each_user_is_held_out():
    users = [1] * 10 + [2] * 3
    assert np.flatnonzero(hold_out_last(users, range(13), share=0.25)).tolist() == [8, 9, 12]


@pytest.mark.parametrize(("share", "n", "expected"), [(0.29, 100, 29), (0.57, 100, 57), (0.29, 99, 28), (0.7, 10, 7)])
def test_a_share_that_is_a_whole_number_is_held_out_whole(share, n, expected):
    assert hold_out_last([1] * n, range(n), share=share).sum() == expected


@given(USERS, st.floats(0.05, 0.95), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_each_user_keeps_as_many_as_asked_and_loses_about_the_share(users, share, least, seed):
    held = hold_out_random(users, share, np.random.default_rng(seed), least)
    for user in set(users):
        mine = held[np.array(users) == user]
        assert (~mine).sum() >= min(least, len(mine))
        assert mine.sum() <= np.ceil(share * len(mine))
        assert mine.sum() >= min(np.floor(share * len(mine)), len(mine) - least)


def test_a_random_share_is_that_share_on_average(rng):
    users = np.repeat(np.arange(2000), 5)
    assert hold_out_random(users, 0.1, rng).mean() == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("share", [0, 1, -0.1, np.nan])
def test_refuses_shares_that_are_none(share, rng):
    with pytest.raises(ValueError, match="share"):
        hold_out_random([1, 1], share, rng)
    with pytest.raises(ValueError, match="share"):
        hold_out_latest([1, 2], share)


def test_refuses_arrays_of_different_lengths():
    with pytest.raises(ValueError, match="2 users and 1 times"):
        hold_out_last([1, 2], [1])
    with pytest.raises(ValueError, match="below 1"):
        hold_out_last([1, 2], [1, 2], share=1.0)


def test_places_count_what_comes_after():
    assert places_from_last([1, 2, 1, 1], [5, 9, 7, 7]).tolist() == [2, 0, 1, 0]
    assert places_from_last([], []).tolist() == []
