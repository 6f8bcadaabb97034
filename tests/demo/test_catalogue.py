from __future__ import annotations

import re

import numpy as np

from recsys.demo.catalogue import about, generate_catalogue, with_articles
from recsys.demo.themes import THEMES
from tests.demo.conftest import NOW


def test_titles_are_distinct_and_fit(catalogue):
    assert len(set(catalogue.titles)) == len(catalogue)
    assert max(map(len, catalogue.titles)) <= 300


def test_texts_are_whole_sentences_without_leftover_placeholders(catalogue):
    for text in catalogue.descriptions:
        assert not re.search(r"[{}]|\ba [aeiou]|  ", text), text
        assert text[0].isupper()
        assert text.endswith(".")


def test_descriptions_speak_of_their_theme(catalogue):
    for description, first in zip(catalogue.descriptions, catalogue.first, strict=True):
        assert any(place in description for place in THEMES[first].places)


def test_popularity_is_heavy_tailed(catalogue):
    ranked = np.sort(catalogue.popularity)[::-1]
    assert ranked[: len(ranked) // 20].sum() > 0.3 * ranked.sum()


def test_every_item_is_allowed_somewhere_and_most_everywhere(catalogue):
    assert catalogue.allowed.any(axis=0).all()
    assert 0.8 < catalogue.allowed.all(axis=0).mean() < 1


def test_nothing_is_published_in_the_future_and_something_is_new(catalogue):
    assert catalogue.published.max() <= NOW.timestamp()
    assert (catalogue.published > NOW.timestamp() - 60 * 86_400).any()
    assert catalogue.years.max() <= NOW.year


def test_the_same_seed_gives_the_same_catalogue(catalogue):
    again = generate_catalogue(np.random.default_rng(2), np.arange(1000, 1400), NOW)
    assert (again.titles, again.descriptions) == (catalogue.titles, catalogue.descriptions)
    assert np.array_equal(about(again), about(catalogue))


def test_far_more_items_than_titles_remain_distinct():
    many = generate_catalogue(np.random.default_rng(1), np.arange(20_000), NOW)
    assert len(set(many.titles)) == 20_000


def test_articles():
    assert with_articles("A orbit and a alibi, a fox and Ana under") == "An orbit and an alibi, a fox and Ana under"
