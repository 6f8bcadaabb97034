from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from ml import recipe
from ml.als import AlsConfig
from ml.metrics import ndcg, summarise
from ml.ranker import RankerConfig
from ml.recipe import RecipeConfig, Trained, featurizer, train
from tests.ml.planted import leave_one_out, planted

CONFIG = RecipeConfig(
    small_als=AlsConfig(8, unobserved=1.0), depth=30, ranker=RankerConfig(trees=10, leaves=5, least=10), share=0.2
)


@pytest.fixture
def split(rng) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    return leave_one_out(planted(rng, users=300), rng)


def test_every_model_finds_what_was_planted_and_popularity_does_not(split):
    known, held_out = split
    trained = train(known, CONFIG, seed=0)
    found = {name: summarise(ndcg(items, held_out)).mean for name, items in trained.recommend(known, 13).items()}
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
    learned, why = recipe._learn(featurizer(models, {"popularity": 1.0}, 80), taught, hidden, CONFIG, seed=0)
    assert why == ""
    found = Trained(models, {"popularity": 1.0}, learned, why, 80, {}).recommend(known, 13)
    assert summarise(ndcg(found["ranker"], held_out)).mean > 2 * summarise(ndcg(found["blend"], held_out)).mean


def test_a_ranker_that_does_not_win_is_left_out_and_says_why(split):
    known, _ = split
    trained = train(known, CONFIG, seed=0)
    assert trained.ranker is None
    assert "does not beat the blend" in trained.why_no_ranker
    assert "ranker" not in trained.recommend(known)


def test_large_catalogues_do_without_ease(split):
    known, _ = split
    trained = train(known, RecipeConfig(ease_items=10, small_als=CONFIG.small_als), seed=0)
    assert "ease" not in trained.models.parts


def test_refuses_what_nothing_can_be_held_out_of():
    with pytest.raises(ValueError, match="nothing can be held out"):
        train(sp.csr_matrix(np.eye(5, dtype=np.float32)), CONFIG, seed=0)
