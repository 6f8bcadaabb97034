"""The contract of every scorer: what it takes, what it gives, and that it finds what is there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from ml import als, ease, item_graph, popularity, successors
from ml.als import AlsConfig, AlsScorer
from ml.blend import BlendScorer
from ml.content import ContentScorer
from ml.linear import Unweighted
from ml.metrics import ndcg, summarise
from ml.model_files import About, from_bytes, open_mapped, save, to_bytes
from ml.ranker import Ranker
from ml.ranking import top_scored
from ml.scorers import Scorer, strongest_carriers
from tests.ml.planted import leave_one_out, planted

ALS = AlsConfig(dimensions=8, epochs=8)


def fit_als(observed: sp.csr_matrix) -> AlsScorer:
    factors = als.fit(observed, ALS, np.random.default_rng(3))
    return AlsScorer(factors.items, factors.unobserved, ALS)


def fit_content(observed: sp.csr_matrix) -> ContentScorer:
    """What is written about an item says its group, and something of its own."""
    noise = np.random.default_rng(4).normal(0, 0.2, (observed.shape[1], 4))
    return ContentScorer((np.eye(4)[np.arange(observed.shape[1]) % 4] + noise).astype(np.float32))


def fit_blend(observed: sp.csr_matrix) -> BlendScorer:
    parts: dict[str, Scorer] = {"graph": item_graph.fit(observed), "als": fit_als(observed)}
    return BlendScorer(parts, {"graph": 1.0, "als": 0.5})


def fit_blend_with_popularity(observed: sp.csr_matrix) -> BlendScorer:
    graph = item_graph.fit(observed)
    parts: dict[str, Scorer] = {
        "graph": Unweighted(graph), "recent": graph, "popularity": popularity.fit(observed), "als": fit_als(observed),
    }  # fmt: skip
    return BlendScorer(parts, {"graph": 1.0, "recent": 0.7, "popularity": 0.2, "als": 0.0})


def fit_successors(observed: sp.csr_matrix) -> Scorer:
    """Each user in an order of their own."""
    times = sp.csr_matrix(observed, dtype=np.float64, copy=True)
    times.sum_duplicates()
    times.data = 1 + np.random.default_rng(5).permutation(times.nnz).astype(np.float64)
    return successors.fit(observed, times)


FITS: dict[str, Callable[[sp.csr_matrix], Scorer]] = {
    "item_graph": item_graph.fit,
    "ease": ease.fit,
    "successors": fit_successors,
    "als": fit_als,
    "content": fit_content,
    "blend": fit_blend,
    "blend_with_popularity": fit_blend_with_popularity,
    "unweighted": lambda observed: Unweighted(item_graph.fit(observed)),
    "popularity": popularity.fit,
}
PERSONAL = [name for name in FITS if "popularity" not in name]  # nothing without a history
TRAINED = [name for name in FITS if name != "content"]  # from interactions


@pytest.fixture
def observed(rng) -> sp.csr_matrix:
    return planted(rng)


@pytest.fixture(params=FITS)
def fit(request) -> Callable[[sp.csr_matrix], Scorer]:
    return FITS[request.param]


def test_scores_every_item_for_every_history(fit, observed):
    scorer = fit(observed)
    scores = scorer.score(observed[:7])
    assert scorer.n_items == observed.shape[1]
    assert scores.shape == (7, observed.shape[1])
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


def test_scores_nobody_and_leaves_its_input_as_it_was(fit, observed):
    before = observed.copy()
    scorer = fit(observed)
    assert scorer.score(observed[:0]).shape == (0, observed.shape[1])
    scorer.score(observed)
    assert (before != observed).nnz == 0


def test_says_the_same_each_time(fit, observed):
    first, second = fit(observed), fit(observed)
    np.testing.assert_array_equal(first.score(observed), second.score(observed))


def test_a_user_is_scored_alike_alone_and_among_others(fit, observed):
    scorer = fit(observed)
    np.testing.assert_allclose(scorer.score(observed)[11:12], scorer.score(observed[11:12]), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", PERSONAL)
def test_an_empty_history_scores_nothing(name, observed):
    empty = sp.csr_matrix((2, observed.shape[1]), dtype=np.float32)
    np.testing.assert_array_equal(FITS[name](observed).score(empty), 0)


def test_what_history_items_carry_sums_up_to_what_the_history_changed(fit, observed, rng):
    scorer = fit(observed)
    history = observed[5]
    items = rng.choice(observed.shape[1], 9, replace=False)
    carried = scorer.carried(history.indices, history.data, items)
    assert carried.shape == (history.nnz, 9)
    assert carried.dtype == np.float32
    empty = sp.csr_matrix(history.shape, dtype=np.float32)
    changed = scorer.score(history)[0, items] - scorer.score(empty)[0, items]
    np.testing.assert_allclose(carried.sum(axis=0), changed, rtol=5e-3, atol=5e-4)


@pytest.mark.parametrize("name", ["popularity", "blend_with_popularity"])
def test_popularity_is_what_is_left_of_an_empty_history(name, observed):
    scores = FITS[name](observed).score(sp.csr_matrix((2, observed.shape[1]), dtype=np.float32))
    counts = np.asarray(observed.sum(axis=0)).ravel()
    share = scores[0].max() / counts.max()
    assert share > 0
    np.testing.assert_allclose(scores, np.stack([share * counts] * 2), rtol=1e-5)


def test_the_strongest_carriers_come_first_and_those_against_never():
    carried = np.array([[0.1, -1, 0], [0.5, -2, 0.2], [0.3, 0.4, 0]], dtype=np.float32)
    assert strongest_carriers(carried, 2).tolist() == [[1, 2], [2, -1], [1, -1]]
    assert strongest_carriers(carried, 5)[0].tolist() == [1, 2, 0, -1, -1]


def test_no_history_has_no_carriers():
    assert strongest_carriers(np.zeros((0, 2), np.float32), 2).tolist() == [[-1, -1], [-1, -1]]


def test_refuses_to_name_no_carriers():
    with pytest.raises(ValueError, match="k must be"):
        strongest_carriers(np.zeros((2, 2), np.float32), 0)


def test_a_scorer_that_was_kept_says_the_same(fit, observed, tmp_path):
    scorer, ids = fit(observed), np.arange(observed.shape[1]) * 3
    save(tmp_path / "model.npz", scorer, About(ids))
    for kept, _ in (from_bytes(to_bytes(scorer, About(ids)), ids), open_mapped(tmp_path / "model.npz", ids)):
        assert type(kept) is type(scorer)
        assert not isinstance(kept, Ranker)
        # Where a mapped array lies decides how its products are summed up.
        np.testing.assert_allclose(kept.score(observed), scorer.score(observed), rtol=1e-4, atol=1e-5)
        arguments = observed[3].indices, observed[3].data, np.array([1, 4, 7])
        np.testing.assert_allclose(kept.carried(*arguments), scorer.carried(*arguments), rtol=1e-4, atol=1e-5)


def test_masks_what_was_seen(fit, observed):
    ranked = top_scored(fit(observed), observed, observed.shape[1])
    for user in (0, 17):
        given_items = ranked[user][ranked[user] >= 0]
        assert len(given_items) == observed.shape[1] - observed[user].nnz
        assert not set(given_items) & set(observed[user].indices)


@pytest.mark.parametrize("name", PERSONAL)
def test_finds_the_groups_that_were_planted(name, observed, rng):
    known, held_out = leave_one_out(observed, rng)
    found = summarise(ndcg(top_scored(FITS[name](known), known, 13), held_out))
    # 13 items of the group are left for each user: 0.41 for who knows the groups, 0.07 for who does not.
    assert found.mean > 0.3


@pytest.mark.parametrize("name", TRAINED)
def test_duplicates_count_together(name, observed):
    halves = (np.repeat(observed.data / 2, 2), np.repeat(observed.indices, 2), 2 * observed.indptr)
    doubled = sp.csr_matrix(halves, shape=observed.shape)
    assert doubled.nnz == 2 * observed.nnz
    fit = FITS[name]
    expected = fit(observed).score(observed)
    np.testing.assert_allclose(fit(doubled).score(observed), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(fit(observed).score(doubled), expected, rtol=1e-4, atol=1e-5)
    assert doubled.nnz == 2 * observed.nnz


@pytest.mark.parametrize("name", TRAINED)
def test_a_weight_of_0_in_a_history_is_as_none(name, observed):
    scorer = FITS[name](observed)
    history = observed[:1].copy()
    history.data[2] = 0
    without = history.copy()
    without.eliminate_zeros()
    np.testing.assert_allclose(scorer.score(history), scorer.score(without), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0])
def test_refuses_weights_that_are_not_finite_and_positive(name, wrong, observed):
    observed.data[3] = wrong
    with pytest.raises(ValueError, match=r"finite and above 0"):
        FITS[name](observed)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, -1.0])
def test_refuses_histories_of_weights_that_are_negative_or_not_finite(fit, wrong, observed):
    scorer, histories = fit(observed), observed[:4].copy()
    histories.data[3] = wrong
    with pytest.raises(ValueError, match="finite and"):
        scorer.score(histories)


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (1, 5), (0, 4), (4, 4)])
def test_takes_very_little(name, shape):
    """One item, one user, nobody, and items that nobody took up."""
    entries = ([1.0], ([0], [0])) if shape[0] else ([], ([], []))
    observed = sp.csr_matrix(entries, shape=shape, dtype=np.float32)
    scores = FITS[name](observed).score(sp.csr_matrix(np.ones((2, shape[1]), np.float32)))
    assert scores.shape == (2, shape[1])
    assert np.isfinite(scores).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 20), st.floats(0.02, 0.9))
def test_any_matrix_gives_finite_scores(seed, users, items, density):
    observed = sp.random(users, items, density, format="csr", dtype=np.float32, rng=seed)
    observed.data[:] = np.maximum(observed.data, 0.01)
    for name in TRAINED:
        scores = FITS[name](observed).score(observed)
        assert np.isfinite(scores).all(), name


def test_unweighted_ones_take_each_item_for_as_much_as_any_other(observed):
    scorer = FITS["unweighted"](observed)
    weighted = observed[:3].copy()
    weighted.data[:] = np.linspace(0.1, 5, weighted.nnz)
    np.testing.assert_array_equal(scorer.score(weighted), scorer.score(observed[:3]))
    assert (weighted.data != 1).all()
