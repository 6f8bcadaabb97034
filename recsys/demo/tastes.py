"""Latent tastes: how much a person likes each theme, and how much an item is about it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsys.demo.themes import GENRES, THEMES

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

THEME_GENRE: Ints = np.array([GENRES.index(theme.genre) for theme in THEMES])
GENRE_CONCENTRATION = 0.25  # of the Dirichlet over genres: small, so a person has few favourites
THEME_CONCENTRATION = 0.5  # of the Dirichlet over the themes of one genre
PRIMARY_SHARE = 0.75  # of an item's weight lies on its first theme, the rest on its second


def draw_tastes(rng: np.random.Generator, people: int) -> Floats:
    """Mixtures over themes, shape (people, themes), rows sum to 1: Dirichlet over genres, then within a genre."""
    # A Dirichlet draw is a normalised gamma draw; the floor keeps an all-but-zero row finite.
    by_genre = rng.standard_gamma(GENRE_CONCENTRATION, (people, len(GENRES)), dtype=np.float32) + 1e-6
    within = rng.standard_gamma(THEME_CONCENTRATION, (people, len(THEMES)), dtype=np.float32) + 1e-6
    for genre in range(len(GENRES)):
        columns = genre == THEME_GENRE
        within[:, columns] /= within[:, columns].sum(axis=1, keepdims=True)
    tastes: Floats = (by_genre / by_genre.sum(axis=1, keepdims=True))[:, THEME_GENRE] * within
    return tastes


def taste_for(tags: tuple[str, ...]) -> Floats:
    """The taste of somebody who likes the themes `tags`, best first, and a little of everything; shape (themes,)."""
    taste = np.full(len(THEMES), 0.1 / len(THEMES), dtype=np.float32)
    by_tag = {theme.tag: number for number, theme in enumerate(THEMES)}
    for place, tag in enumerate(tags):
        taste[by_tag[tag]] += 1.0 / (place + 1.5)
    result: Floats = taste / taste.sum()
    return result


def theme_weights(first: Ints, second: Ints) -> Floats:
    """What items are about, shape (items, themes): mostly their `first` theme, partly their `second`."""
    weights = np.zeros((len(first), len(THEMES)), dtype=np.float32)
    rows = np.arange(len(first))
    weights[rows, first] += PRIMARY_SHARE
    weights[rows, second] += 1 - PRIMARY_SHARE
    return weights
