from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from ml import item_graph, popularity
from ml.ranker_features import Featurizer
from ml.scorers import Scorer
from tests.ml.planted import planted


@pytest.fixture
def observed(rng) -> sp.csr_matrix:
    return planted(rng)


@pytest.fixture
def featurizer(observed, rng) -> Featurizer:
    graph, counts = item_graph.fit(observed), popularity.fit(observed)
    factors = rng.normal(size=(observed.shape[1], 3)).astype(np.float32)
    parts: dict[str, Scorer] = {"graph": graph, "popularity": counts, "idle": counts}
    weights = {"graph": 1.0, "popularity": 0.1, "idle": 0.0}
    return Featurizer(parts, weights, sp.csr_matrix(graph.weights), counts.counts, factors, k=10)


def test_each_feature_is_what_it_says(featurizer, observed):
    found = featurizer.candidates(observed)
    user, place = 5, 3
    item, history = found.items[user, place], observed[user].indices
    graph, factors = featurizer.graph.toarray(), featurizer.factors
    to_item, popularity = graph[history, item], featurizer.popularity
    lengths = np.linalg.norm(factors, axis=1)
    cosines = factors[history] @ factors[item] / (lengths[history] * lengths[item])
    scores = featurizer.scores(observed[[user]])
    expected = {
        "rank": place,
        "level": scores["graph"][0, item] + 0.1 * scores["popularity"][0, item],
        "largest": np.sort(to_item)[-1],
        "second": np.sort(to_item)[-2],
        "third": np.sort(to_item)[-3],
        "support": np.count_nonzero(to_item) / np.sqrt(len(history)),
        "anchor": np.log1p(popularity[history[to_item.argmax()]]),
        "back": graph[item, history].max(),
        "back_sum": graph[item, history].sum(),
        "closest": cosines.max(),
        "closeness": cosines.mean(),
        "agreement": graph[found.items[user], item].sum(),
        "popularity": np.log1p(popularity[item]),
        "norm": lengths[item],
        "history": np.log1p(len(history)),
    }
    assert set(expected) | {"score", "by_graph", "by_popularity"} == set(featurizer.names)
    for name, value in expected.items():
        assert found.features[user, place, featurizer.names.index(name)] == pytest.approx(value, rel=1e-5), name
    assert found.features[user, 0, featurizer.names.index("score")] == 1
    assert found.features.shape == (observed.shape[0], 10, len(featurizer.names))


def test_candidates_are_new_to_the_user_and_best_first(featurizer, observed):
    found = featurizer.candidates(observed)
    scores = found.features[:, :, featurizer.names.index("score")]
    assert (np.diff(scores, axis=1) <= 0).all()
    assert not any(set(found.items[user]) & set(observed[user].indices) for user in range(observed.shape[0]))


def test_blocks_change_nothing(featurizer, observed, monkeypatch):
    whole = featurizer.candidates(observed)
    monkeypatch.setattr("ml.ranking._BLOCK", 80 * 7)
    parts = featurizer.candidates(observed)
    np.testing.assert_array_equal(whole.items, parts.items)
    np.testing.assert_allclose(whole.features, parts.features, rtol=1e-5)


def test_one_item_and_none_have_no_second(featurizer, observed):
    histories = sp.csr_matrix((2, observed.shape[1]), dtype=np.float32).tolil()
    histories[0, 4] = 1
    found = featurizer.candidates(histories.tocsr())
    second, largest = (found.features[:, :, featurizer.names.index(name)] for name in ("second", "largest"))
    assert not second.any()
    assert largest[0].any()
    assert not largest[1].any()


def test_where_there_are_fewer_items_the_rest_is_none(featurizer, observed):
    histories = sp.csr_matrix(np.ones((1, observed.shape[1]), np.float32)).tolil()
    histories[0, [3, 9]] = 0
    found = featurizer.candidates(histories.tocsr())
    assert set(found.items[0].tolist()) == {3, 9, -1}
    assert not found.features[found.items < 0].any()
    assert found.features[0, 0, featurizer.names.index("score")] == 1  # of these two, not of all items


def test_nobody_has_no_candidates(featurizer, observed):
    found = featurizer.candidates(observed[:0])
    assert found.items.shape == (0, 10)
    assert found.features.shape == (0, 10, len(featurizer.names))
