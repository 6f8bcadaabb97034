from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from ml import item_graph, recipe
from ml.als import AlsConfig
from ml.collaborative import CollaborativeConfig
from ml.metrics import ndcg, summarise
from ml.ranker import RankerConfig
from ml.ranker_training import learn
from ml.recipe import RecipeConfig, Trained, featurizer, train, weighted
from ml.weighing import Weighed
from tests.ml.planted import leave_one_out, planted

MODELS = CollaborativeConfig(small_als=(AlsConfig(8, unobserved=1.0),))
CONFIG = RecipeConfig(MODELS, depth=30, ranker=RankerConfig(trees=10, leaves=5, least=10), share=0.2, samples=2)


@pytest.fixture
def split(rng) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    return leave_one_out(planted(rng, users=300), rng)


def spied(monkeypatch: pytest.MonkeyPatch, name: str) -> list[tuple[Any, ...]]:
    """What the recipe calls this with from now on."""
    called, function = [], getattr(recipe, name)

    def spy(*given: Any) -> Any:
        called.append(given)
        return function(*given)

    monkeypatch.setattr(recipe, name, spy)
    return called


def test_every_model_finds_what_was_planted_and_popularity_does_not(split):
    known, held_out = split
    trained = train(known, CONFIG, seed=0)
    found = {name: summarise(ndcg(items, held_out)).mean for name, items in trained.recommend(known, k=13).items()}
    for name in ("item_graph", "ials", "ease", "blend"):
        assert found[name] > 0.3, name
    assert found["popularity"] < 0.15
    assert set(trained.seconds) == {"item_graph", "ials", "ease", "blend", "ranker"}


def test_says_the_same_each_time(split):
    known, _ = split
    first, second = (train(known, CONFIG, seed=5) for _ in range(2))
    assert first.weights == second.weights
    for name, items in first.recommend(known).items():
        np.testing.assert_array_equal(items, second.recommend(known)[name])


def test_a_ranker_that_beats_the_blend_is_kept_and_asked(split, rng):
    """A blend of popularity alone knows nothing of the groups, but the weights between items do."""
    known, held_out = split
    taught, hidden = leave_one_out(known, rng)
    models = train(taught, CONFIG, seed=0).models
    weights = {"popularity": 1.0}
    learned = learn(featurizer(models, weights, 80), taught, hidden, CONFIG.ranker, 20, seed=0)
    assert learned.why_none == ""
    found = Trained(models, weights, None, learned.ranker, "", 80, {}).recommend(known, k=13)
    assert summarise(ndcg(found["ranker"], held_out)).mean > 2 * summarise(ndcg(found["blend"], held_out)).mean


def test_a_ranker_that_does_not_win_is_left_out_and_says_why(split):
    known, _ = split
    trained = train(known, CONFIG, seed=0)
    assert trained.ranker is None
    assert "does not beat the blend" in trained.why_no_ranker
    assert "ranker" not in trained.recommend(known)


def test_large_catalogues_do_without_ease(split):
    known, _ = split
    trained = train(known, replace(CONFIG, models=replace(MODELS, ease_items=10)), seed=0)
    assert set(trained.models.trained) == {"item_graph", "ials"}


def test_refuses_what_nothing_can_be_held_out_of():
    with pytest.raises(ValueError, match="nothing can be held out"):
        train(sp.csr_matrix(np.eye(5, dtype=np.float32)), CONFIG, seed=0)


def test_serves_models_of_everything_that_was_observed(split):
    known, _ = split
    trained = train(known, CONFIG, seed=0)
    assert trained.models.counts.counts.sum() == known.nnz
    np.testing.assert_array_equal(trained.models.item_graph.weights.toarray(), item_graph.fit(known).weights.toarray())


def test_holds_the_share_out_and_asks_no_more_users_than_it_is_told(split, monkeypatch):
    known, _ = split
    weighed, taught = spied(monkeypatch, "weigh"), spied(monkeypatch, "learn")
    train(known, replace(CONFIG, share=0.25, weighing=40, ranking=50), seed=0)
    ((_, histories, held_out, *_),) = weighed
    assert histories.shape[0] == held_out.shape[0] == 40
    assert held_out.nnz / (histories.nnz + held_out.nnz) == pytest.approx(0.25, abs=0.05)
    assert not histories.multiply(held_out).nnz
    assert taught[0][1].shape[0] == taught[0][2].shape[0] == 50


@pytest.mark.parametrize(("users", "samples"), [(300, 1), (60, 3), (10, 10)])
def test_the_fewer_judges_the_more_samples_of_them(users, samples, rng, monkeypatch):
    weighed = spied(monkeypatch, "weigh")
    train(planted(rng, users=users), replace(CONFIG, weighing=200, samples=10), seed=0)
    assert weighed[0][-1] == samples


def test_repeated_entries_are_one(split):
    known, _ = split
    twice = (np.repeat(known.data / 2, 2), np.repeat(known.indices, 2), 2 * known.indptr)
    repeated = sp.csr_matrix(twice, shape=known.shape)
    assert train(repeated, CONFIG, seed=0).weights == train(known, CONFIG, seed=0).weights
    assert repeated.nnz == 2 * known.nnz


def test_nobody_gets_no_recommendations(split):
    known, _ = split
    found = train(known, CONFIG, seed=0).recommend(known[:0], k=7)
    assert {items.shape for items in found.values()} == {(0, 7)}


def test_more_are_found_than_the_ranker_orders(split):
    known, _ = split
    found = train(known, CONFIG, seed=0).recommend(known, k=CONFIG.depth + 10)
    assert (found["blend"] >= 0).sum(axis=1).min() == CONFIG.depth + 10


def test_who_has_no_history_gets_what_is_popular(split, rng):
    known, _ = split
    taught, hidden = leave_one_out(known, rng)
    trained = train(taught, CONFIG, seed=0)
    making = featurizer(trained.models, {"popularity": 1.0}, 80)
    ranked = replace(trained, ranker=learn(making, taught, hidden, CONFIG.ranker, 20, seed=0).ranker)
    ranked = replace(ranked, weights={"popularity": 1.0}, depth=80)
    for one in (trained, ranked):
        found = one.recommend(sp.csr_matrix(([0.0], ([0], [7])), shape=(1, 80), dtype=np.float32), k=10)
        popular = np.sort(-trained.models.counts.counts)[:10]
        for name in set(found) & {"blend", "ranker"}:
            np.testing.assert_array_equal(-trained.models.counts.counts[found[name][0]], popular)
    assert "ranker" in found


def test_refuses_to_recommend_none(split):
    known, _ = split
    trained = train(known, CONFIG, seed=0)
    with pytest.raises(ValueError, match="k must be"):
        trained.recommend(known, k=0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"share": 0.0}, "share"),
        ({"share": 1.0}, "share"),
        ({"weighing": 0}, "at least 1"),
        ({"samples": 0}, "at least 1"),
        ({"ranking": 0}, "at least 1"),
        ({"depth": 0}, "at least 1"),
        ({"half_lives": ()}, "half_lives"),
        ({"half_lives": (10.0, np.nan)}, "half_lives"),
    ],
)
def test_refuses_a_config_that_makes_no_sense(wrong, message):
    with pytest.raises(ValueError, match=message):
        RecipeConfig(**wrong)


@pytest.mark.parametrize("wrong", [np.nan, -1.0])
def test_refuses_weights_that_make_no_sense(split, wrong):
    known, _ = split
    known.data[3] = wrong
    with pytest.raises(ValueError, match="Weights must be finite"):
        train(known, CONFIG, seed=0)


class TestTimes:
    @pytest.fixture
    def dated(self, rng) -> tuple[sp.csr_matrix, sp.csr_matrix, sp.csr_matrix]:
        """People who change from one group of items to another: (known, times, what comes next)."""
        rows, columns, moments, later = [], [], [], sp.lil_matrix((300, 80), dtype=np.float32)
        for user in range(300):
            for place, group in enumerate((user % 4, (user // 4) % 4)):
                items = rng.choice(np.arange(group, 80, 4), 7, replace=False)
                rows += [user] * 6
                columns += items[:6].tolist()
                moments += (10 * place + np.arange(1, 7)).tolist()
            later[user, items[6]] = 1
        shape, places = (300, 80), (rows, columns)
        known = sp.csr_matrix((np.ones(len(rows), np.float32), places), shape=shape)
        known.data[:] = 1
        times = known.copy()
        for row, column, moment in zip(rows, columns, moments, strict=True):
            times[row, column] = moment
        later = later.tocsr()
        later = sp.csr_matrix(later - later.multiply(known))
        later.eliminate_zeros()
        return known, times, later

    def test_what_is_recent_counts_for_more(self, dated):
        known, times, later = dated
        trained = train(known, CONFIG, seed=0, times=times)
        found = trained.recommend(known, times, 13)
        quality = {name: summarise(ndcg(items, later)).mean for name, items in found.items()}
        for name in ("item_graph", "ials", "ease"):
            assert quality[f"{name}_recent"] > quality[name], name
        assert quality["blend"] > quality["ease"]

    def test_holds_out_the_latest_and_looks_at_what_is_recent_in_the_rest(self, dated, monkeypatch):
        known, times, _ = dated
        weighed, taught = spied(monkeypatch, "weigh"), spied(monkeypatch, "learn")
        trained = train(known, replace(CONFIG, half_lives=(2.0,)), seed=0, times=times)
        assert trained.half_life == 2
        for _, histories, held_out, *_ in (weighed[0], taught[0]):
            for user in (0, 7, 299):
                order = np.argsort(times[user].data)
                items = times[user].indices[order]
                n = len(items) - held_out[user].nnz
                assert set(held_out[user].indices) == set(items[n:])
                expected = np.zeros(known.shape[1])
                expected[items[:n]] = 2 ** (-(n - 1 - np.arange(n)) / 2)
                np.testing.assert_allclose(histories[user].toarray()[0], expected, rtol=1e-6)

    @pytest.mark.parametrize(("reached", "half_life"), [((0.5, 0.6, 0.4), 3.0), ((0.5, 0.5, 0.5), 10.0)])
    def test_keeps_the_half_life_that_nothing_beats(self, dated, reached, half_life, monkeypatch):
        known, times, _ = dated
        found = iter(
            [Weighed({"item_graph": 1.0, "ease": place}, np.full(300, one)) for place, one in enumerate(reached)]
        )
        monkeypatch.setattr(recipe, "weigh", lambda *given: next(found))
        trained = train(known, CONFIG, seed=0, times=times)
        assert trained.half_life == half_life
        assert trained.weights["ease"] == CONFIG.half_lives.index(half_life)

    def test_the_weights_that_a_history_has_count_too(self):
        histories = sp.csr_matrix(np.array([[5, 1, 2]], np.float32))
        times = sp.csr_matrix(np.array([[30, 10, 20]], np.float32))
        np.testing.assert_allclose(weighted(histories, times, 1.0).toarray(), [[5, 0.25, 1]])

    def test_nothing_is_so_old_that_it_does_not_count(self):
        histories = sp.csr_matrix(np.ones((1, 200), np.float32))
        times = sp.csr_matrix(np.arange(1, 201, dtype=np.float32)[None])
        assert weighted(histories, times, 1.0).data.min() == pytest.approx(0.001)

    def test_weights_halve_with_each_half_life(self):
        histories = sp.csr_matrix(np.array([[1, 1, 1, 0]], np.float32))
        times = sp.csr_matrix(np.array([[30, 10, 20, 40]], np.float32))
        np.testing.assert_allclose(weighted(histories, times, 1.0).toarray(), [[1, 0.25, 0.5, 0]])

    def test_asks_for_times_where_it_was_trained_with_some(self, dated):
        known, times, _ = dated
        trained = train(known, CONFIG, seed=0, times=times)
        with pytest.raises(ValueError, match="without times"):
            trained.recommend(known)

    def test_refuses_times_of_other_entries(self, dated):
        known, times, _ = dated
        times[0, times[0].indices[0]] = 0
        times.eliminate_zeros()
        with pytest.raises(ValueError, match="the same entries"):
            train(known, CONFIG, seed=0, times=times)

    def test_refuses_times_of_another_shape_and_repeated_ones(self, dated):
        known, times, _ = dated
        twice = (np.repeat(times.data, 2), np.repeat(times.indices, 2), 2 * times.indptr)
        for wrong in (times[:-1], sp.csr_matrix(twice, shape=times.shape)):
            with pytest.raises(ValueError, match="the same entries"):
                train(known, CONFIG, seed=0, times=wrong)

    def test_the_order_that_times_are_stored_in_changes_nothing(self, dated):
        known, times, _ = dated
        order = np.lexsort((-times.indices, np.repeat(np.arange(300), np.diff(times.indptr))))
        mixed = sp.csr_matrix((times.data[order], times.indices[order], times.indptr), shape=times.shape)
        first, second = (train(known, CONFIG, seed=0, times=one) for one in (times, mixed))
        assert first.weights == second.weights

    def test_of_equal_times_the_smaller_item_is_first(self):
        histories = sp.csr_matrix(np.ones((1, 3), np.float32))
        np.testing.assert_allclose(weighted(histories, histories, 1.0).toarray(), [[0.25, 0.5, 1]])

    def test_refuses_times_that_say_nothing(self, dated):
        known, times, _ = dated
        times.data[5] = np.nan
        with pytest.raises(ValueError, match="must have a time"):
            train(known, CONFIG, seed=0, times=times)
