from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from ml import ease
from ml.ease import EaseConfig
from tests.ml.planted import planted


def loss(observed: np.ndarray, weights: np.ndarray, regularisation: float) -> float:
    return float(((observed - observed @ weights) ** 2).sum() + regularisation * (weights**2).sum())


def test_nothing_near_it_with_a_zero_diagonal_reconstructs_better(rng):
    observed = planted(rng)
    weights = ease.fit(observed, EaseConfig(5.0)).weights.astype(np.float64)
    assert not np.diag(weights).any()
    best = loss(observed.toarray(), weights, 5.0)
    for _ in range(20):
        step = rng.normal(0, 0.01, weights.shape)
        np.fill_diagonal(step, 0)
        assert loss(observed.toarray(), weights + step, 5.0) > best


def test_more_regularisation_makes_smaller_weights(rng):
    observed = planted(rng)
    small, large = (np.abs(ease.fit(observed, EaseConfig(value)).weights).sum() for value in (500.0, 5.0))
    assert small < 0.5 * large


def test_many_items_are_solved_in_blocks_as_at_once(rng):
    n_items = ease._BLOCK + 90
    observed = sp.random(300, n_items, 0.05, format="csr", rng=rng, dtype=np.float32)
    inverse = np.linalg.inv((observed.T @ observed).toarray().astype(np.float64) + 2.0 * np.eye(n_items))
    plain = inverse / -np.diag(inverse)
    np.fill_diagonal(plain, 0)
    np.testing.assert_allclose(ease.fit(observed, EaseConfig(2.0)).weights, plain, rtol=1e-4, atol=1e-7)


def test_says_that_a_regularisation_is_too_small_to_solve_anything():
    always_together = sp.csr_matrix(np.ones((50, 3), dtype=np.float32))
    with pytest.raises(ValueError, match="take a larger one"):
        ease.fit(always_together, EaseConfig(1e-300))


def test_refuses_more_items_than_anybody_has_memory_for():
    with pytest.raises(ValueError, match="20,001 items"):
        ease.fit(sp.csr_matrix((1, 20_001), dtype=np.float32))


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_refuses_a_regularisation_that_makes_no_sense(wrong):
    with pytest.raises(ValueError, match="regularisation"):
        EaseConfig(wrong)
