from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from ml.als import AlsConfig
from ml.collaborative import CollaborativeConfig
from ml.metrics import ndcg, summarise
from ml.ranker import RankerConfig
from ml.ranker_training import learn
from ml.recipe import RecipeConfig, Trained, featurizer, train, weighted
from tests.ml.planted import leave_one_out, planted

MODELS = CollaborativeConfig(small_als=(AlsConfig(8, unobserved=1.0),))
CONFIG = RecipeConfig(MODELS, depth=30, ranker=RankerConfig(trees=10, leaves=5, least=10), share=0.2)


@pytest.fixture
def split(rng) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    return leave_one_out(planted(rng, users=300), rng)


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
