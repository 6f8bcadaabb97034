from __future__ import annotations

import numpy as np
import pytest

from recsys.bench.result import BenchOptions
from recsys.recommend.bench import train


def test_measures_each_size_in_a_process_of_its_own():
    said = []
    result = train.run(BenchOptions(runs=1, scale=0.002, say=said.append))
    assert len(said) == len(train.SIZES)
    for size in (200, 2000, 20_000):
        assert result.details[f"n{size}_pairs"] <= 1.5 * size
        assert result.details[f"n{size}_ials_cpu_s"] > 0
        assert result.details[f"n{size}_peak_mb"] > 10


def test_the_exponent_is_that_of_a_power_law():
    sizes = [100, 1000, 10_000]
    assert train.exponent(sizes, [0.5 * size**1.3 for size in sizes]) == pytest.approx(1.3)


def test_synthetic_interactions_have_a_long_tail():
    matrix = train.synthetic(20_000, np.random.default_rng(0))
    counts = np.sort(np.asarray(matrix.sum(axis=0)).ravel())[::-1]
    assert matrix.nnz == pytest.approx(20_000, rel=0.2)
    assert set(matrix.data) == {1}
    assert counts[:40].sum() > 3 * counts[-200:].sum() / 5
    assert counts[0] > 10 * np.median(counts)
