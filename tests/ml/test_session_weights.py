from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from ml.session_weights import N_LENGTH_GROUPS, learn, length_groups


def log_likelihood(shares, weights):
    return np.log(shares @ weights).sum()


def test_lengths_fall_into_groups():
    assert length_groups([0, 1, 2, 3, 4, 5, 9, 10, 500]).tolist() == [0, 0, 1, 2, 2, 3, 3, 4, 4]


def test_weights_are_the_likeliest_ones(rng):
    shares = rng.dirichlet([1, 1, 1, 1], 400)[:, :3]
    ones = np.ones(400, dtype=np.int64)
    found = learn(shares, ones, prior=0.0, steps=3000)[0]

    def loss(free):
        weights = np.exp(np.append(free, 0.0))
        return -log_likelihood(shares, weights / weights.sum())

    best = minimize(loss, np.zeros(2))
    assert -log_likelihood(shares, found) == pytest.approx(best.fun, abs=1e-3)


def test_weights_come_back_from_what_they_generated(rng):
    true = np.array([0.6, 0.3, 0.1])
    cues = rng.dirichlet(np.full(20, 0.2), (6000, 3))
    chosen = rng.choice(3, 6000, p=true)
    items = np.array([rng.choice(20, p=cues[query, cue]) for query, cue in enumerate(chosen)])
    found = learn(cues[np.arange(6000), :, items], np.ones(6000, dtype=np.int64))
    assert found[0] == pytest.approx(true, abs=0.04)


def test_each_group_of_lengths_has_its_own_weights_that_sum_up_to_one():
    shares = np.array([[1.0, 0.0]] * 200 + [[0.0, 1.0]] * 200)
    weights = learn(shares, np.repeat([1, 20], 200))
    assert weights.shape == (N_LENGTH_GROUPS, 2)
    assert weights.sum(axis=1) == pytest.approx(np.ones(N_LENGTH_GROUPS))
    assert weights[0, 0] > 0.9
    assert weights[-1, 1] > 0.9
    assert weights[2] == pytest.approx([0.5, 0.5])


def test_a_group_with_few_queries_keeps_near_to_all():
    shares = np.array([[1.0, 0.0]] * 100 + [[0.0, 1.0]])
    weights = learn(shares, np.array([1] * 100 + [20]), prior=20.0)
    assert weights[-1, 0] > 0.9


def test_queries_that_say_nothing_change_nothing(rng):
    shares, lengths = rng.dirichlet([1, 1, 1], 50), rng.integers(1, 12, 50)
    silent = np.vstack([shares, np.zeros((10, 3))])
    assert (learn(silent, np.append(lengths, np.ones(10, np.int64))) == learn(shares, lengths)).all()


@pytest.mark.parametrize(
    ("shares", "lengths", "message"),
    [
        (np.zeros((2, 3)), np.ones(2, int), "nothing to learn"),
        (np.zeros((0, 3)), np.ones(0, int), "nothing to learn"),
        (np.ones((2, 3)), np.ones(3, int), "3 lengths"),
        (np.full((1, 2), np.nan), np.ones(1, int), "between 0 and 1"),
        (np.full((1, 2), -0.1), np.ones(1, int), "between 0 and 1"),
        (np.full((1, 2), 1.1), np.ones(1, int), "between 0 and 1"),
    ],
)
def test_refuses_what_cannot_be_learned_from(shares, lengths, message):
    with pytest.raises(ValueError, match=message):
        learn(shares, lengths)
