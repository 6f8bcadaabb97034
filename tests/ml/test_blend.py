from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import scipy.sparse as sp

from ml import item_graph
from ml.blend import BlendScorer, average, blend, candidates, choose_weights, scaled
from ml.popularity import PopularityScorer
from tests.ml.planted import planted


def test_scaled_rows_have_a_root_mean_square_of_one_where_something_speaks(rng):
    scores = rng.normal(0, 7, (5, 30)).astype(np.float32) * (rng.random((5, 30)) < 0.5)
    found = scaled(scores)
    for row in found:
        assert np.sqrt((row[row != 0] ** 2).mean()) == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(found, scaled(1000 * scores), rtol=1e-4)


def test_scaling_leaves_rows_of_nothing():
    np.testing.assert_array_equal(scaled(np.zeros((2, 3), np.float32)), 0)


def test_a_blend_is_the_weighted_sum():
    first, second = np.array([[1.0, 2.0]], np.float32), np.array([[10.0, 0.0]], np.float32)
    np.testing.assert_allclose(blend([first, second], [2.0, 0.5]), [[7.0, 4.0]])
    with pytest.raises(ValueError, match="2 blocks"):
        blend([first, second], [1.0])
    with pytest.raises(ValueError, match="at least one"):
        blend([], [])


def test_candidates_are_the_best_of_each_part_once():
    parts = {"a": np.array([[5.0, 4.0, 3.0, 0.0]], np.float32), "b": np.array([[0.0, 9.0, 1.0, 8.0]], np.float32)}
    seen = sp.csr_matrix(([1.0], ([0], [0])), shape=(1, 4))
    (found,) = candidates(parts, seen, 2)
    assert sorted(item for item in found.tolist() if item >= 0) == [1, 2, 3]
    assert len(found) == 4


class TestWeights:
    def test_the_best_single_one_stays_at_one_and_the_others_are_found(self):
        def judge(weights: Mapping[str, float]) -> float:
            a, b, c = (weights.get(name, 0.0) for name in "abc")
            return 1 - (a - 1) ** 2 - (b - 0.35) ** 2 - c**2

        assert choose_weights(["c", "b", "a"], judge) == {"a": 1.0, "b": 0.35, "c": 0.0}

    def test_what_helps_nothing_has_none(self):
        weights = choose_weights(["a", "b"], lambda weights: float(weights.get("a", 0.0) > 0))
        assert weights == {"a": 1.0, "b": 0.0}

    def test_there_must_be_something_to_blend(self):
        with pytest.raises(ValueError, match="Nothing"):
            choose_weights([], lambda weights: 0.0)


class TestAverage:
    def test_takes_each_as_shares_and_gives_the_largest_one(self):
        found = average([{"a": 1.0, "b": 1.0, "c": 0.0}, {"a": 1.0, "b": 0.0, "c": 0.0}])
        assert found == pytest.approx({"a": 1.0, "b": 1 / 3, "c": 0.0})

    def test_leaves_out_what_counts_next_to_nothing(self):
        assert average([{"a": 1.0, "b": 0.019}, {"a": 1.0, "b": 0.019}]) == {"a": 1.0, "b": 0.0}


class TestScorer:
    def test_asks_no_part_without_a_weight(self, rng):
        observed = planted(rng)

        class Broken(PopularityScorer):
            def score(self, histories: sp.csr_matrix):
                raise AssertionError("asked")

        graph = item_graph.fit(observed)
        scorer = BlendScorer(
            {"graph": graph, "broken": Broken(np.zeros(80, np.float32))}, {"graph": 2.0, "broken": 0.0}
        )
        np.testing.assert_allclose(scorer.score(observed), 2 * scaled(graph.score(observed)), rtol=1e-5)

    @pytest.mark.parametrize(
        ("weights", "message"), [({"b": 1.0}, "that there are not"), ({"a": 0.0}, "above 0"), ({"a": np.inf}, "finite")]
    )
    def test_refuses_weights_that_make_no_blend(self, weights, message):
        with pytest.raises(ValueError, match=message):
            BlendScorer({"a": PopularityScorer(np.zeros(2, np.float32))}, weights)
