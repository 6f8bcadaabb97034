from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from ml import als, ease, item_graph
from ml.als import AlsConfig
from ml.collaborative import Clock, CollaborativeConfig, Models, choose, train_again
from ml.ease import EaseConfig
from ml.item_graph import ItemGraphConfig
from ml.metrics import compare, ndcg
from ml.ranking import top_scored
from ml.scorers import Scorer
from tests.ml.planted import leave_one_out, planted

CONFIG = CollaborativeConfig(
    popularity_exponents=(-2.0, 0.0, 0.5),
    small_als=(AlsConfig(2, unobserved=1.0, epochs=1), AlsConfig(8, unobserved=1.0)),
    ease_regularisations=(1e-3, 20.0, 1e6),
)


@pytest.fixture
def split(rng) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    return leave_one_out(planted(rng, users=200), rng)


def chosen(
    split: tuple[sp.csr_matrix, sp.csr_matrix], config: CollaborativeConfig, times: sp.csr_matrix | None = None
) -> Models:
    known, held_out = split
    everybody = np.arange(known.shape[0])
    return choose(known, everybody, held_out, config, np.random.default_rng(3), Clock(lambda _: None), times)


def test_each_model_is_the_first_that_none_of_those_that_were_tried_beats(split):
    known, held_out = split

    def quality(scorer: Scorer) -> np.ndarray:
        return ndcg(top_scored(scorer, known, 20), held_out)

    found = chosen(split, CONFIG)
    graphs = [item_graph.fit(known, ItemGraphConfig(popularity_exponent=one)) for one in CONFIG.popularity_exponents]
    eases = [ease.fit(known, EaseConfig(one)) for one in CONFIG.ease_regularisations]
    for name, tried in (("item_graph", graphs), ("ease", eases)):
        assert not any(compare(quality(one), quality(found.trained[name])).first_wins for one in tried), name
    assert found.choices.ease == EaseConfig(20.0)
    assert found.choices.als == CONFIG.small_als[1]


@pytest.mark.parametrize(
    "wrong", [{"popularity_exponents": ()}, {"small_als": ()}, {"ease_regularisations": ()}, {"again": -1}]
)
def test_refuses_a_config_that_makes_no_sense(wrong):
    with pytest.raises(ValueError, match="at least"):
        replace(CONFIG, **wrong)


def test_refuses_ease_without_its_config(split):
    with pytest.raises(ValueError, match="together"):
        replace(chosen(split, CONFIG), ease=None)


def test_many_interactions_have_their_own_als(split):
    large = AlsConfig(3, unobserved=2.0)
    found = chosen(split, replace(CONFIG, many=10, als=large))
    assert found.choices.als == large
    assert found.ials.items.shape == (80, 3)


def test_everything_is_trained_again_with_the_same_choices(split, rng):
    known, held_out = split
    models = chosen(split, CONFIG)
    everything = sp.csr_matrix(known + held_out)
    again = train_again(everything, models, CONFIG, rng, Clock(lambda _: None))
    assert again.choices == models.choices
    np.testing.assert_array_equal(again.counts.counts, np.asarray(everything.sum(axis=0)).ravel())
    plain = item_graph.fit(everything, models.choices.graph)
    assert abs(again.item_graph.weights - plain.weights).max() == 0
    started = als.fit(everything, replace(models.choices.als, epochs=1), rng, start=models.ials.items)
    np.testing.assert_allclose(again.ials.items, started.items, atol=1e-5)
    assert again.ials.config == models.choices.als


def test_with_times_each_model_takes_part_twice(split):
    names = {"item_graph", "ials", "ease"}
    assert set(chosen(split, CONFIG).parts) == names | {"popularity"}
    parts = chosen(split, CONFIG, times=split[0]).parts
    assert set(parts) == names | {f"{name}_recent" for name in names} | {"successors", "popularity"}
    histories = split[0][:3].copy()
    plain = parts["ease"].score(histories)
    histories.data[:] = 0.5
    np.testing.assert_array_equal(parts["ease"].score(histories), plain)
    np.testing.assert_allclose(parts["ease_recent"].score(histories), plain / 2, rtol=1e-5)
