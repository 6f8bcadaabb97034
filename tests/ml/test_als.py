from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from ml import als
from ml.als import AlsConfig
from ml.metrics import ndcg, summarise
from ml.ranking import top_items
from tests.ml.planted import leave_one_out, planted

CONFIG = AlsConfig(dimensions=8, epochs=12)


def objective(observed: sp.csr_matrix, factors: als.AlsFactors, config: AlsConfig) -> float:
    """The loss of the module's docstring, written down plainly."""
    dense = observed.toarray()
    users, items = factors.users, factors.items
    scores = users @ items.T
    unobserved = config.unobserved * dense.sum() / dense.size
    loss = (dense * (scores - 1) ** 2).sum() + unobserved * (scores**2).sum()
    for one, sums, others in ((users, dense.sum(1), items), (items, dense.sum(0), users)):
        frequency = sums + unobserved * len(others)
        loss += config.regularisation * (frequency**config.frequency_exponent * (one**2).sum(1)).sum()
    return float(loss)


def test_finds_the_groups_that_were_planted(rng):
    observed = planted(rng)
    known, held_out = leave_one_out(observed, rng)
    factors = als.fit(known, AlsConfig(dimensions=4, epochs=12), rng)
    found = summarise(ndcg(top_items(factors.users, factors.items, known, 13), held_out))
    # 13 items of the group are left for each user: 0.41 for who knows the groups, 0.07 for who does not.
    assert found.mean > 0.3


def test_every_epoch_lowers_the_loss_that_it_names(rng):
    observed = planted(rng)
    losses = []
    for epochs in range(1, 6):
        config = AlsConfig(dimensions=8, epochs=epochs, cg_steps=8)
        factors = als.fit(observed, config, np.random.default_rng(5))
        losses.append(objective(observed, factors, config))
    assert all(later < earlier for earlier, later in pairwise(losses))


def test_folding_in_gives_what_solving_the_row_gives(rng):
    observed = planted(rng)
    observed.data[:] = rng.uniform(0.5, 5, observed.nnz)
    factors = als.fit(observed, CONFIG, rng)
    together = als.fold_in_many(observed, factors.items, factors.unobserved, CONFIG)
    for user in range(5):
        row = observed[user]
        alone = als.fold_in(factors.items[row.indices], row.data, factors.side, CONFIG)
        assert alone.vector == pytest.approx(together[user], abs=1e-4)


def test_the_shares_of_the_history_sum_up_to_the_vector(rng):
    factors = als.fit(planted(rng), CONFIG, rng)
    items = factors.items
    folded = als.fold_in(items[[1, 2, 3]], np.array([1, 2, 4], np.float32), factors.side, CONFIG)
    assert folded.carried.shape == (3, 8)
    assert folded.carried.sum(axis=0) == pytest.approx(folded.vector, abs=1e-5)


def test_an_item_is_carried_by_the_history_item_of_its_group(rng):
    factors = als.fit(planted(rng), CONFIG, rng)
    items = factors.items
    folded = als.fold_in(items[[0, 1]], np.ones(2, np.float32), factors.side, CONFIG)
    assert (folded.carried @ items[4]).argmax() == 0  # 4 is of the group of 0
    assert (folded.carried @ items[5]).argmax() == 1


def test_the_order_of_the_history_does_not_matter(rng):
    factors = als.fit(planted(rng), CONFIG, rng)
    items = factors.items
    weights = np.array([1, 2, 4], np.float32)
    one = als.fold_in(items[[1, 2, 3]], weights, factors.side, CONFIG).vector
    other = als.fold_in(items[[3, 1, 2]], weights[[2, 0, 1]], factors.side, CONFIG).vector
    assert one == pytest.approx(other, abs=1e-6)


def test_the_same_seed_gives_the_same_factors(rng):
    observed = planted(rng)
    first = als.fit(observed, CONFIG, np.random.default_rng(1))
    second = als.fit(observed, CONFIG, np.random.default_rng(1))
    assert (first.items == second.items).all()
    assert first.items.dtype == np.float32


def test_rows_and_columns_without_observations_are_zero(rng):
    observed = sp.csr_matrix((np.ones(2, np.float32), ([0, 2], [1, 1])), shape=(4, 3))
    factors = als.fit(observed, CONFIG, rng)
    assert not factors.users[[1, 3]].any()
    assert not factors.items[[0, 2]].any()
    assert factors.users[0].any()


def test_nothing_observed_at_all(rng):
    factors = als.fit(sp.csr_matrix((3, 4), dtype=np.float32), CONFIG, rng)
    assert factors.users.shape == (3, 8)
    assert not factors.items.any()


def test_chunks_change_nothing(rng, monkeypatch):
    observed = planted(rng)
    whole = als.fit(observed, CONFIG, np.random.default_rng(1)).items
    monkeypatch.setattr(als, "_CHUNK", 37)
    assert als.fit(observed, CONFIG, np.random.default_rng(1)).items == pytest.approx(whole, abs=1e-4)


@pytest.mark.parametrize("length", ["short", "long"])
def test_rows_of_any_length_are_folded_in_exactly(rng, length):
    """Shorter than the factors, and longer."""
    config = AlsConfig(dimensions=16)
    items = rng.normal(0, 0.5, (60, 16)).astype(np.float32)
    histories = sp.random(30, 60, 0.1 if length == "short" else 0.6, format="csr", rng=rng, dtype=np.float32)
    together = als.fold_in_many(histories, items, 0.1, config)
    side = als.ItemSide(als.gram(items), 60, 0.1)
    for row, vector in zip(histories, together, strict=True):
        alone = als.fold_in(items[row.indices], row.data, side, config)
        np.testing.assert_allclose(vector, alone.vector, atol=1e-5)


def test_a_row_too_long_for_memory_changes_nothing(rng, monkeypatch):
    observed = planted(rng)
    config = AlsConfig(dimensions=8, epochs=2)
    whole = als.fit(observed, config, np.random.default_rng(1)).items
    monkeypatch.setattr(als, "_LONG", 50)
    monkeypatch.setattr(als, "_CHUNK", 37)
    assert als.fit(observed, config, np.random.default_rng(1)).items == pytest.approx(whole, abs=1e-3)


def test_repeated_observations_add_up(rng):
    twice = sp.coo_matrix((np.ones(4, np.float32), ([0, 0, 1, 1], [0, 0, 1, 2])), shape=(2, 3)).tocsr()
    once = sp.csr_matrix(np.array([[2, 0, 0], [0, 1, 1]], np.float32))
    first = als.fit(twice, CONFIG, np.random.default_rng(1)).items
    assert first == pytest.approx(als.fit(once, CONFIG, np.random.default_rng(1)).items, abs=1e-6)


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), 0.0, -1.0])
def test_refuses_weights_that_are_not_finite_and_positive(rng, weight):
    observed = sp.csr_matrix((np.array([1, weight], np.float32), ([0, 1], [0, 1])), shape=(2, 2))
    with pytest.raises(ValueError, match="finite"):
        als.fit(observed, CONFIG, rng)


@pytest.mark.parametrize("wrong", [{"dimensions": 0}, {"epochs": -1}, {"unobserved": 0}, {"regularisation": -1.0}])
def test_refuses_a_config_that_cannot_be(wrong):
    with pytest.raises(ValueError):
        AlsConfig(**wrong)


@pytest.mark.parametrize("name", ["unobserved", "regularisation", "frequency_exponent", "initial_scale"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_refuses_a_config_that_is_not_finite(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        AlsConfig(**{name: value})


def test_reports_its_progress(rng):
    steps: list[tuple[int, int]] = []
    als.fit(planted(rng), AlsConfig(dimensions=2, epochs=3), rng, lambda done, total: steps.append((done, total)))
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_from_factors_of_before_one_epoch_comes_nearer_than_from_nothing(rng):
    observed = planted(rng)
    before = als.fit(observed, CONFIG, rng)
    config = AlsConfig(dimensions=8, epochs=1)
    anew, on = als.fit(observed, config, rng), als.fit(observed, config, rng, start=before.items)
    assert objective(observed, on, CONFIG) < 0.9 * objective(observed, anew, CONFIG)


def test_refuses_a_start_of_another_shape(rng):
    with pytest.raises(ValueError, match=r"\(80, 4\) for 80 items"):
        als.fit(planted(rng), CONFIG, rng, start=np.zeros((80, 4), np.float32))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_refuses_a_start_that_is_not_finite(rng, wrong):
    start = np.ones((80, 8), np.float32)
    start[3, 2] = wrong
    with pytest.raises(ValueError, match="start must be finite"):
        als.fit(planted(rng), CONFIG, rng, start=start)


def test_rows_are_solved_alike_however_many_go_together(rng, monkeypatch):
    observed = planted(rng)
    whole = als.fit(observed, CONFIG, np.random.default_rng(1))
    monkeypatch.setattr(als, "_CHUNK", 1)
    single = als.fit(observed, CONFIG, np.random.default_rng(1))
    np.testing.assert_allclose(whole.users, single.users, rtol=1e-3, atol=1e-4)
