from __future__ import annotations

import numpy as np
import pytest

from ml.vectors import unit_rows


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_unit_rows_have_length_1_or_none(kind):
    found = unit_rows(np.array([[3, 4], [0, 0], [1e-12, 0]], dtype=kind))
    assert found == pytest.approx(np.array([[0.6, 0.8], [0, 0], [1, 0]]))
    assert found.dtype == kind


def test_rows_that_are_too_short_have_none():
    found = unit_rows(np.array([[3.0, 4.0], [1e-12, 0.0]]), shortest=1e-9)
    assert found == pytest.approx(np.array([[0.6, 0.8], [0, 0]]))


def test_squares_stay_in_range():
    assert unit_rows(np.array([[3e200, 4e200], [3e-200, 4e-200]])) == pytest.approx(np.array([[0.6, 0.8]] * 2))


def test_no_rows_and_no_columns():
    assert unit_rows(np.zeros((0, 3))).shape == (0, 3)
    assert unit_rows(np.zeros((2, 0))).shape == (2, 0)


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.uint8])
def test_rows_of_whole_numbers_are_divided_too(kind):
    found = unit_rows(np.array([[3, 4], [0, 0]], dtype=kind))
    assert found == pytest.approx(np.array([[0.6, 0.8], [0, 0]]))
    assert found.dtype == np.float32


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_refuses_numbers_that_are_not_finite(wrong):
    with pytest.raises(ValueError, match="finite"):
        unit_rows(np.array([[3, 4], [wrong, 1]], dtype=np.float32))
