from __future__ import annotations

import numpy as np

from recsys.demo.tastes import THEME_GENRE, draw_tastes, taste_for, theme_weights
from recsys.demo.themes import GENRES, THEMES


def test_tastes_are_mixtures_with_few_favourites():
    tastes = draw_tastes(np.random.default_rng(1), 1000)
    assert tastes.shape == (1000, len(THEMES))
    assert np.allclose(tastes.sum(axis=1), 1, atol=1e-4)
    by_genre = np.stack([tastes[:, genre == THEME_GENRE].sum(axis=1) for genre in range(len(GENRES))], axis=1)
    assert np.median(by_genre.max(axis=1)) > 0.35
    assert np.bincount(by_genre.argmax(axis=1)).min() > 20, "every genre is somebody's favourite"


def test_a_given_taste_prefers_its_tags_in_their_order():
    taste = taste_for(("heist", "space"))
    best, second = np.argsort(taste)[::-1][:2]
    assert (THEMES[best].tag, THEMES[second].tag) == ("heist", "space")


def test_an_item_with_one_theme_twice_is_wholly_about_it():
    weights = theme_weights(np.array([3, 4]), np.array([3, 5]))
    assert np.allclose(weights.sum(axis=1), 1)
    assert weights[0, 3] == 1
