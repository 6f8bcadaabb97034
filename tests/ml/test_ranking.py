from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from ml import ranking
from ml.popularity import PopularityScorer
from ml.ranking import best_of, top_items, top_scored


@pytest.mark.parametrize("k", [1, 3, 7, 50])
def test_gives_what_sorting_everything_gives(rng, monkeypatch, k):
    monkeypatch.setattr(ranking, "_BLOCK", 21)
    users = rng.normal(size=(10, 4)).astype(np.float32)
    items = rng.normal(size=(7, 4)).astype(np.float32)
    seen = sp.random(10, 7, 0.3, format="csr", rng=rng)
    scores = users @ items.T
    scores[seen.toarray() != 0] = -np.inf
    found = top_items(users, items, seen, k)
    assert found.shape == (10, k)
    for row in range(10):
        order = [int(item) for item in np.argsort(-scores[row]) if scores[row, item] > -np.inf][:k]
        assert found[row].tolist() == order + [-1] * (k - len(order))


def test_without_items_nothing_is_found():
    nothing = np.zeros((0, 4), np.float32)
    assert top_items(np.ones((2, 4), np.float32), nothing, sp.csr_matrix((2, 0)), 2).tolist() == [[-1, -1], [-1, -1]]


@pytest.mark.parametrize("k", [1, 5, 20])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 1.0])
def test_many_items_are_ranked_as_by_sorting(rng, k, share):
    """Whatever the share of the scores that are not 0."""
    scores = rng.normal(size=(40, 1003)).astype(np.float32) * (rng.random((40, 1003)) < share)
    scores[0], scores[1, 7:] = -np.inf, -np.inf
    seen = sp.random(40, 1003, 0.05, format="csr", rng=rng)
    before = scores.copy()
    found = best_of(scores, seen, k)
    np.testing.assert_array_equal(scores, before)
    masked = np.where(seen.toarray() != 0, -np.inf, scores)
    best = -np.sort(-masked, axis=1)[:, :k]
    given = np.where(found < 0, -np.inf, np.take_along_axis(masked, found, axis=1))
    np.testing.assert_array_equal(given, best)
    for row in found:
        there = row[row >= 0]
        assert len(set(there.tolist())) == len(there)


@pytest.mark.parametrize("n_items", [9, 1003])
@pytest.mark.parametrize("k", [1, 3, 20])
def test_what_is_scored_nan_is_never_put_forward(rng, k, n_items):
    scores = rng.normal(size=(5, n_items)).astype(np.float32)
    scores[0, 4], scores[1, 2:8], scores[2, 1:], scores[3] = np.nan, np.nan, np.nan, np.nan
    seen = sp.csr_matrix(scores.shape, dtype=np.float32)
    expected = best_of(np.where(np.isnan(scores), -np.inf, scores), seen, k)
    np.testing.assert_array_equal(best_of(scores, seen, k), expected)


def test_of_none_asked_none_are_given():
    seen = sp.csr_matrix((2, 5), dtype=np.float32)
    assert best_of(np.ones((2, 5), np.float32), seen, 0).shape == (2, 0)
    assert top_items(np.ones((2, 1), np.float32), np.ones((5, 1), np.float32), seen, 0).shape == (2, 0)
    assert top_scored(PopularityScorer(np.ones(5, np.float32)), seen, 0).shape == (2, 0)


def test_refuses_fewer_than_none():
    seen = sp.csr_matrix((2, 5), dtype=np.float32)
    with pytest.raises(ValueError, match="k must be at least 0"):
        best_of(np.ones((2, 5), np.float32), seen, -1)
    with pytest.raises(ValueError, match="k must be at least 0"):
        top_items(np.ones((2, 1), np.float32), np.ones((5, 1), np.float32), seen, -1)
    with pytest.raises(ValueError, match="k must be at least 0"):
        top_scored(PopularityScorer(np.ones(5, np.float32)), seen, -1)
