from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from ml import successors
from ml.successors import SuccessorsConfig


def events(histories: list[list[int]], n_items: int) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """What was observed, and the moments, of histories in their order."""
    rows = np.repeat(np.arange(len(histories)), [len(one) for one in histories])
    items = np.concatenate(histories)
    moments = np.concatenate([np.arange(1, len(one) + 1) for one in histories])
    shape = (len(histories), n_items)
    return (
        sp.csr_matrix((np.ones(len(rows), np.float32), (rows, items)), shape=shape),
        sp.csr_matrix((moments.astype(np.float64), (rows, items)), shape=shape),
    )


def plain(histories: list[list[int]], n_items: int, config: SuccessorsConfig) -> np.ndarray:
    """The docstring's formula, written down plainly."""
    found = np.zeros((n_items, n_items))
    counts = np.bincount(np.concatenate(histories), minlength=n_items)
    for history in histories:
        for place, item in enumerate(history):
            for gap, other in enumerate(history[place + 1 : place + 1 + config.window]):
                found[item, other] += 2 ** (-gap / config.half_life)
    found /= np.maximum(counts, 1) ** config.popularity_exponent
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.where(lengths > 0, lengths, 1)


@pytest.mark.parametrize("block", [7, 1 << 22])
def test_is_what_the_formula_says(rng, monkeypatch, block):
    monkeypatch.setattr("ml.successors._BLOCK", block)
    histories = [rng.permutation(30)[: rng.integers(1, 15)].tolist() for _ in range(60)]
    config = SuccessorsConfig(window=4, half_life=2.0, popularity_exponent=0.5)
    found = successors.fit(*events(histories, 30), config)
    np.testing.assert_allclose(found.weights.toarray(), plain(histories, 30, config), atol=1e-6)


def test_each_item_keeps_its_strongest(rng):
    histories = [rng.permutation(30)[:12].tolist() for _ in range(60)]
    whole, cut = (
        successors.fit(*events(histories, 30), SuccessorsConfig(neighbours=most)).weights.toarray() for most in (30, 5)
    )
    assert (np.count_nonzero(cut, axis=1) == 5).all()
    np.testing.assert_allclose(np.sort((cut > 0) * whole, axis=1)[:, -5:], np.sort(whole, axis=1)[:, -5:], rtol=1e-6)


def test_what_comes_next_is_told_from_what_came_before():
    """Item n is followed by n + 1, and by n - 1 never."""
    histories = [list(range(start, start + 6)) for start in range(14)]
    found = successors.fit(*events(histories, 20))
    scores = found.score(sp.csr_matrix(([1.0], ([0], [9])), shape=(1, 20)))[0]
    assert scores.argmax() == 10
    assert scores[8] == 0


def test_each_user_is_a_history_of_their_own():
    found = successors.fit(*events([[0, 1], [2, 3]], 4))
    assert found.weights.toarray().astype(bool).tolist() == [
        [False, True, False, False],
        [False, False, False, False],
        [False, False, False, True],
        [False, False, False, False],
    ]


@pytest.mark.parametrize(
    "wrong",
    [{"window": 0}, {"neighbours": 0}, {"half_life": 0.0}, {"half_life": np.inf}, {"popularity_exponent": np.nan}],
)
def test_refuses_a_config_that_cannot_be(wrong):
    with pytest.raises(ValueError, match="must be"):
        SuccessorsConfig(**wrong)


def test_refuses_weights_that_are_not_finite_and_positive():
    observed, times = events([[0, 1]], 2)
    observed.data[0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        successors.fit(observed, times)
