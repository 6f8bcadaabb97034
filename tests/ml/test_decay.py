from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.decay import add_heats, recency_weights

heats = st.floats(-1e5, 1e5)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=20))
def test_adding_heats_adds_what_they_stand_for(weights):
    heat = -math.inf
    for weight in weights:
        heat = add_heats(heat, math.log2(weight))
    assert 2**heat == pytest.approx(sum(weights), rel=1e-9)


@given(heats, heats)
def test_adding_heats_commutes_and_never_cools(first, second):
    assert add_heats(first, second) == add_heats(second, first) >= max(first, second)


@given(heats, heats, st.floats(-1e4, 1e4))
def test_time_moves_all_heats_alike(first, second, later):
    assert add_heats(first + later, second + later) == pytest.approx(add_heats(first, second) + later, abs=1e-6)


def test_nothing_added_to_nothing_is_nothing():
    assert add_heats(-math.inf, -math.inf) == -math.inf
    assert add_heats(-math.inf, 3.0) == 3.0


def test_heats_far_apart_neither_overflow_nor_underflow():
    assert add_heats(1e6, -1e6) == 1e6


def test_a_weight_halves_in_a_half_life():
    assert recency_weights([0, 10, 20, -5], half_life=10).tolist() == [1.0, 0.5, 0.25, 1.0]


def test_a_weight_never_falls_below_the_floor():
    assert recency_weights([1e9], half_life=1, floor=0.2).tolist() == pytest.approx([0.2])


@pytest.mark.parametrize("half_life", [0, -1, math.nan])
def test_refuses_a_half_life_that_is_none(half_life):
    with pytest.raises(ValueError, match="half-life"):
        recency_weights([1], half_life=half_life)
