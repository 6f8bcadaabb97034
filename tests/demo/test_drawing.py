from __future__ import annotations

import numpy as np

from recsys.demo.drawing import GroupedDraw, draw_columns, one_group


def test_draws_from_the_asked_group_by_weight():
    groups = np.array([2, 0, 2, 0, 3])
    weights = np.array([1, 1, 3, 0, 5], dtype=np.float32)
    drawing = GroupedDraw(groups, weights, 5)
    rng = np.random.default_rng(1)
    drawn = drawing.draw(rng, np.full(10_000, 2))
    assert set(drawn) == {0, 2}
    assert 0.72 < (drawn == 2).mean() < 0.78
    assert set(drawing.draw(rng, np.zeros(1000, dtype=np.int64))) == {1}
    assert list(drawing.filled) == [True, False, True, True, False]


def test_one_group_holds_all():
    drawn = one_group(np.array([1, 1, 2], dtype=np.float32)).draw(
        np.random.default_rng(1), np.zeros(8000, dtype=np.int64)
    )
    assert np.allclose(np.bincount(drawn) / 8000, [0.25, 0.25, 0.5], atol=0.03)


def test_columns_are_drawn_by_the_weights_of_their_row():
    weights = np.array([[0, 1, 0], [3, 0, 1]], dtype=np.float32)
    rows = np.repeat([0, 1], 5000)
    columns = draw_columns(np.random.default_rng(1), weights, rows)
    assert set(columns[:5000]) == {1}
    assert np.allclose(np.bincount(columns[5000:], minlength=3) / 5000, [0.75, 0, 0.25], atol=0.03)
