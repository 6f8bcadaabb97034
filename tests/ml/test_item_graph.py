from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from ml import item_graph
from ml.item_graph import ItemGraphConfig
from tests.ml.planted import planted


def plainly(observed: np.ndarray, config: ItemGraphConfig) -> np.ndarray:
    """The formula of the module's docstring, written down plainly."""
    users, items = observed.sum(axis=1), observed.sum(axis=0)
    graph = observed.T @ np.diag(users**-config.user_exponent) @ observed / items**config.popularity_exponent
    np.fill_diagonal(graph, 0)
    for row in graph:
        row[np.argsort(-row, kind="stable")[config.neighbours :]] = 0
    lengths = np.linalg.norm(graph, axis=1, keepdims=True)
    return np.divide(graph, lengths, out=np.zeros_like(graph), where=lengths > 0)


def test_is_what_the_formula_says(rng):
    observed = rng.random((40, 15)) * (rng.random((40, 15)) < 0.4) + np.eye(40, 15)
    config = ItemGraphConfig(0.6, 0.3, neighbours=6)
    graph = item_graph.fit(sp.csr_matrix(observed), config)
    np.testing.assert_allclose(graph.weights.toarray(), plainly(observed, config), rtol=1e-4, atol=1e-6)


def test_blocks_change_nothing(rng, monkeypatch):
    observed = planted(rng)
    whole = item_graph.fit(observed)
    monkeypatch.setattr(item_graph, "_BLOCK", 100)
    np.testing.assert_allclose(whole.weights.toarray(), item_graph.fit(observed).weights.toarray(), rtol=1e-5)


def test_keeps_the_neighbours_that_it_is_told_to_and_no_item_itself(rng):
    graph = item_graph.fit(planted(rng), ItemGraphConfig(neighbours=3))
    assert np.diff(graph.weights.indptr).max() == 3
    assert not graph.weights.diagonal().any()


def test_what_everybody_takes_up_says_less_the_larger_the_exponent(rng):
    observed = planted(rng).tolil()
    observed[:, 0] = 1
    flat, steep = (
        item_graph.fit(observed.tocsr(), ItemGraphConfig(popularity_exponent=exponent)).weights.toarray()
        for exponent in (0.0, 1.0)
    )
    assert steep[4:, 0].mean() < 0.5 * flat[4:, 0].mean()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"neighbours": 0}, "neighbours"),
        ({"user_exponent": np.nan}, "finite"),
        ({"popularity_exponent": np.inf}, "finite"),
    ],
)
def test_refuses_a_config_that_makes_no_sense(wrong, message):
    with pytest.raises(ValueError, match=message):
        ItemGraphConfig(**wrong)
