from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.bucketing import choose, fractions


def test_a_fraction_is_the_first_53_bits_of_the_salted_hash():
    expected = int(hashlib.sha256(b"colour:42").hexdigest()[:16], 16) >> 11
    assert fractions("colour", [42]).tolist() == [expected / 2**53]


def test_each_bucket_gets_its_share():
    dealt = choose(fractions("colour", range(20_000)), [1, 2, 1])
    assert np.bincount(dealt) / 20_000 == pytest.approx([0.25, 0.5, 0.25], abs=0.015)


def test_another_salt_deals_independently():
    one = choose(fractions("colour", range(20_000)), [1, 1])
    other = choose(fractions("size", range(20_000)), [1, 1])
    assert np.mean(one == other) == pytest.approx(0.5, abs=0.015)


def test_a_growing_share_takes_ids_from_the_other_bucket_and_gives_none():
    where = fractions("colour", range(5_000))
    before, after = choose(where, [50, 50]), choose(where, [80, 20])
    assert not np.any((before == 0) & (after == 1))
    assert np.mean(before != after) == pytest.approx(0.3, abs=0.03)


def test_a_bucket_without_weight_is_never_chosen():
    edges = np.array([0.0, 0.25, 0.5, 1 - 2**-53])
    assert choose(edges, [0, 1, 0, 1, 0]).tolist() == [1, 1, 3, 3]


@given(
    st.lists(st.floats(0, 1e12), min_size=1, max_size=8).filter(lambda weights: sum(weights) > 0),
    st.floats(0, 1, exclude_max=True),
)
def test_the_chosen_bucket_exists_and_has_weight(weights, where):
    (chosen,) = choose(np.array([where]), weights)
    assert weights[chosen] > 0


@pytest.mark.parametrize("weights", [[], [0, 0], [-1, 2], [float("nan"), 1], [float("inf")]])
def test_weights_that_make_no_sense_are_refused(weights):
    with pytest.raises(ValueError, match="at least one above 0"):
        choose(np.array([0.5]), weights)


def test_no_ids_are_no_buckets():
    assert choose(fractions("colour", []), [1]).shape == (0,)
