from __future__ import annotations

from collections import Counter

from recsys.demo.logins import DEMO_LOGINS
from recsys.demo.themes import THEMES


def test_tags_are_distinct_and_every_theme_has_enough_words():
    assert max(Counter(theme.tag for theme in THEMES).values()) == 1
    for theme in THEMES:
        assert len(set(theme.nouns)) >= 8
        assert len(set(theme.adjectives)) >= 5
        assert min(len(theme.places), len(theme.heroes), len(theme.deeds)) >= 3
        assert all(word for words in (theme.nouns, theme.places, theme.heroes, theme.deeds) for word in words)


def test_the_logins_like_themes_that_there_are():
    tags = {theme.tag for theme in THEMES}
    assert all(tag in tags for login in DEMO_LOGINS for tag in login.tastes)
