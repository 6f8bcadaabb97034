from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from ml import ranker
from ml.ranker import Ranker, RankerConfig, RankerUnavailable, reordered

CONFIG = RankerConfig(trees=20, leaves=7, least=5)
NAMES = ["noise", "signal"]


@pytest.fixture
def taught(rng):
    """Candidates of which the one with the most signal is mostly the relevant one."""
    features = rng.random((300, 10, 2)).astype(np.float32)
    chosen = (features[:, :, 1] + rng.normal(0, 0.1, (300, 10))).argmax(axis=1)
    return features, np.eye(10, dtype=bool)[chosen]


def test_learns_what_makes_a_candidate_relevant(taught, rng):
    learned = ranker.fit(*taught, NAMES, CONFIG, seed=0)
    fresh = rng.random((100, 10, 2)).astype(np.float32)
    scores = learned.score(fresh)
    assert scores.shape == (100, 10)
    assert scores.dtype == np.float32
    assert (scores.argmax(axis=1) == fresh[:, :, 1].argmax(axis=1)).mean() > 0.7


def test_says_the_same_each_time_and_after_its_text_was_kept(taught):
    first, second = (ranker.fit(*taught, NAMES, CONFIG, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.score(taught[0]), second.score(taught[0]))
    kept = Ranker(first.text, first.features)
    np.testing.assert_array_equal(first.score(taught[0]), kept.score(taught[0]))


def test_the_blend_has_the_share_that_it_is_given(rng):
    features = rng.normal(size=(6, 10, 2)).astype(np.float32)
    relevant = features[:, :, 0] > 0.5
    alone = ranker.fit(features, relevant, ["first", "level"], RankerConfig(trees=3, leaves=3, least=1), 0)
    trees, level = alone.score(features), features[:, :, 1]
    mixed = replace(alone, of_blend=0.5).score(features)
    for row in range(6):
        expected = [(one - one.mean()) / one.std() for one in (trees[row], level[row])]
        np.testing.assert_allclose(mixed[row], expected[0] + 0.5 * expected[1], rtol=1e-4, atol=1e-5)
    equal = features.copy()
    equal[:] = 1
    assert not replace(alone, of_blend=0.5).score(equal).any()


def test_places_without_a_candidate_change_nothing_for_the_others(rng):
    features = rng.normal(size=(6, 10, 2)).astype(np.float32)
    relevant = features[:, :, 0] > 0.5
    alone = ranker.fit(features, relevant, ["first", "level"], RankerConfig(trees=3, leaves=3, least=1), 0)
    mixed = replace(alone, of_blend=0.5)
    padded = np.concatenate([features, np.zeros((6, 40, 2), np.float32)], axis=1)
    given = np.arange(50) < np.array([10, 10, 10, 10, 1, 0])[:, None]
    found = mixed.score(padded, given)
    np.testing.assert_allclose(found[:4, :10], mixed.score(features)[:4], rtol=1e-4, atol=1e-5)
    assert not found[4:].any()


@pytest.mark.parametrize("wrong", [-0.1, np.nan, np.inf])
def test_refuses_a_share_of_the_blend_that_makes_no_sense(wrong):
    with pytest.raises(ValueError, match="of_blend"):
        Ranker("", ("level",), wrong)


def test_refuses_a_share_of_a_blend_that_it_is_not_told():
    with pytest.raises(ValueError, match="needs the feature"):
        Ranker("", ("first",), 0.1)


def test_candidates_that_are_none_and_users_without_a_relevant_one_teach_nothing(taught):
    features, relevant = taught
    given = np.ones_like(relevant)
    given[:, 7:] = False
    relevant = relevant & given
    learned = ranker.fit(features, relevant, NAMES, CONFIG, seed=0, given=given)
    misleading = features.copy()
    misleading[~given] = 100.0
    misleading[~relevant.any(axis=1)] = -100.0
    same = ranker.fit(misleading, relevant, NAMES, CONFIG, seed=0, given=given)
    np.testing.assert_array_equal(learned.score(features), same.score(features))


def test_weights_say_how_much_a_candidate_counts(taught):
    features, relevant = taught
    misleading = relevant[:, ::-1].copy()
    both = np.concatenate([features, features]), np.concatenate([relevant, misleading])
    weights = np.repeat([1.0, 1e-6], 300)[:, None].repeat(10, axis=1).astype(np.float32)
    learned = ranker.fit(*both, NAMES, CONFIG, seed=0, weights=weights)
    assert (learned.score(features).argmax(axis=1) == relevant.argmax(axis=1)).mean() > 0.6


def test_reordered_puts_the_best_first_and_what_is_none_last():
    items, scores = np.array([[4, 7, 9, -1]]), np.array([[0.1, 0.9, 0.5, 5.0]], np.float32)
    assert reordered(items, scores).tolist() == [[7, 9, 4, -1]]


class TestRefuses:
    def test_nothing_to_learn_from(self, taught):
        with pytest.raises(ValueError, match="nothing to learn"):
            ranker.fit(taught[0], np.zeros_like(taught[1]), NAMES, CONFIG, seed=0)

    def test_features_that_are_not_finite(self, taught):
        taught[0][0, 0, 0] = np.nan
        with pytest.raises(ValueError, match="finite"):
            ranker.fit(*taught, NAMES, CONFIG, seed=0)

    def test_shapes_that_do_not_fit(self, taught):
        with pytest.raises(ValueError, match="1 names"):
            ranker.fit(*taught, ["signal"], CONFIG, seed=0)
        with pytest.raises(ValueError, match="relevant has the shape"):
            ranker.fit(taught[0], taught[1][:, :3], NAMES, CONFIG, seed=0)
        with pytest.raises(ValueError, match="3 features, but this ranker knows 2"):
            ranker.fit(*taught, NAMES, CONFIG, seed=0).score(np.zeros((1, 1, 3), np.float32))

    def test_a_text_that_lightgbm_did_not_write_of_these_features(self, taught):
        text = ranker.fit(*taught, NAMES, CONFIG, seed=0).text
        for wrong, names in (
            (text[: len(text) // 2], NAMES),
            ("", NAMES),
            (text, NAMES[::-1]),
            (text, [*NAMES, "more"]),
        ):
            with pytest.raises(ValueError, match=r"no text of LightGBM|trees over 'noise signal'"):
                Ranker(wrong, tuple(names))

    @pytest.mark.parametrize("wrong", [-1.0, np.inf])
    def test_weights_that_make_no_sense(self, taught, wrong):
        weights = np.full(taught[1].shape, wrong, np.float32)
        with pytest.raises(ValueError, match="Weights"):
            ranker.fit(*taught, NAMES, CONFIG, seed=0, weights=weights)

    @pytest.mark.parametrize("wrong", [{"trees": 0}, {"leaves": 1}, {"learning_rate": 0.0}, {"least": 0}])
    def test_configs_that_make_no_sense(self, wrong):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            RankerConfig(**wrong)

    def test_a_machine_without_lightgbm_saying_what_to_install(self, taught, monkeypatch):
        monkeypatch.setitem(sys.modules, "lightgbm", None)
        with pytest.raises(RankerUnavailable, match="libgomp1"):
            ranker.fit(*taught, NAMES, CONFIG, seed=0)
