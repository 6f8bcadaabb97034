# ruff: noqa: E501 -- tables of phrases read better unwrapped
"""Generate the items of the demo: films, series and books with titles and descriptions made from their themes."""

from __future__ import annotations

import re
from datetime import datetime

import numpy as np

from recsys.demo.community import HISTORY_DAYS, Catalogue
from recsys.demo.names import REGIONS, draw_given_name
from recsys.demo.tastes import Ints, theme_weights
from recsys.demo.themes import THEMES, Theme

KINDS = (("film", 0.6), ("series", 0.2), ("book", 0.2))
POPULARITY_EXPONENT = 0.9  # of Zipf's law: the item of rank r is met r**-0.9 as often as the first
RESTRICTED_SHARE = 0.05  # of items may be shown in some regions only
NEW_SHARE = 0.06  # of items came out within the history, so that there is something new

TITLE_PATTERNS = (
    "The {adjective} {noun}",
    "The {adjective} {noun}",
    "The {adjective} {noun}",
    "The {noun}",
    "{adjective} {noun}",
    "{adjective} {noun}",
    "The {noun} and the {noun2}",
    "{noun} & {noun2}",
    "{name}'s {noun}",
    "A {noun} for {name}",
    "The {noun} of {name}",
    "{name} and the {adjective} {noun}",
    "Before the {noun}",
    "After the {noun}",
    "Beyond the {adjective} {noun}",
    "What the {noun} Knew",
    "The {adjective2} {noun} Club",
    "Goodbye, {adjective} {noun}",
    "Every {noun} Has a {noun2}",
    "No {noun} Tonight",
    "The Year of the {noun}",
    "One {adjective} {noun}",
    "Under the {adjective} {noun}",
    "{noun} at Midnight",
    "Return to the {noun}",
    "Not Quite a {noun}",
)
CLOSINGS = {
    "film": (
        "Slow, tender and beautifully shot.", "A debut that won the audience award.", "Ninety minutes without a wasted scene.",
        "Best seen late and in company.", "The last ten minutes will divide the room.", "Restored from the original negative.",
        "Funny where it hurts.", "A cult favourite, at last with decent subtitles.", "Made for almost nothing, and it shows only in the best way.",
    ),
    "series": (
        "Six episodes, no filler.", "A third season has just been announced.", "Each episode follows a different witness.",
        "The slow start pays off.", "Eight parts, best watched in two evenings.", "Ended too soon, but it did end well.",
    ),
    "book": (
        "Shortlisted for three prizes.", "A novel in letters.", "Translated for the first time.", "Four hundred pages that read like one evening.",
        "The first part of a trilogy.", "A small book with a long echo.",
    ),
}  # fmt: skip
GRADE_WORDS = ("", "", "", "", " II", " III", " Revisited", ": The Beginning", ": Aftermath")


def generate_catalogue(rng: np.random.Generator, ids: Ints, now: datetime) -> Catalogue:
    """Items for `ids`, published up to `now`."""
    count = len(ids)
    first = rng.integers(len(THEMES), size=count)
    second = rng.integers(len(THEMES), size=count)
    kinds = [KINDS[k][0] for k in rng.choice(len(KINDS), size=count, p=[share for _, share in KINDS])]
    popularity = (rng.permutation(count) + 1.0) ** -POPULARITY_EXPONENT
    age_days = np.where(
        rng.random(count) < NEW_SHARE, rng.uniform(0, HISTORY_DAYS, count), HISTORY_DAYS + rng.exponential(1500, count)
    )
    published = now.timestamp() - age_days * 86_400
    # Most films are older than their place in the catalogue.
    years = now.year - (age_days / 365 + rng.exponential(9, count)).astype(np.int64).clip(0, 95)
    titles: list[str] = []
    taken: set[str] = set()
    descriptions = []
    for number in range(count):
        themes = THEMES[first[number]], THEMES[second[number]]
        titles.append(_distinct_title(rng, themes[0], taken))
        descriptions.append(_description(rng, kinds[number], *themes))
    return Catalogue(
        ids, kinds, titles, descriptions, first, second, popularity.astype(np.float32), _allowed(rng, count), published, years
    )  # fmt: skip


def with_articles(text: str) -> str:
    """`text` with "an" for "a" where a vowel follows."""
    return re.sub(r"\b([Aa]) (?=[AEIOUaeiou])", r"\1n ", text)


def about(catalogue: Catalogue) -> np.ndarray:
    """What the items are about: shape (items, themes)."""
    return theme_weights(catalogue.first, catalogue.second)


def _allowed(rng: np.random.Generator, count: int) -> np.ndarray:
    """Where items may be shown: shape (regions, items). Most of them everywhere."""
    everywhere = rng.random(count) >= RESTRICTED_SHARE
    somewhere = rng.random((len(REGIONS), count)) < 0.4
    somewhere[rng.integers(len(REGIONS), size=count), np.arange(count)] = True
    return everywhere | somewhere


def _distinct_title(rng: np.random.Generator, theme: Theme, taken: set[str]) -> str:
    """A title that no other item has: drawn again when taken, and marked as a sequel when that does not help."""
    title = _title(rng, theme)
    for grade in GRADE_WORDS:
        title = _title(rng, theme) + grade
        if title not in taken:
            break
    else:
        title = f"{title}, Part {len(taken)}"
    taken.add(title)
    return title


def _title(rng: np.random.Generator, theme: Theme) -> str:
    noun, noun2 = _two(rng, theme.nouns)
    adjective, adjective2 = _two(rng, theme.adjectives)
    name = draw_given_name(rng)
    pattern = _pick(rng, TITLE_PATTERNS)
    return with_articles(pattern.format(noun=noun, noun2=noun2, adjective=adjective, adjective2=adjective2, name=name))


def _description(rng: np.random.Generator, kind: str, first: Theme, second: Theme) -> str:
    hero = _pick(rng, first.heroes)
    opening = f"{hero[0].upper()}{hero[1:]} {_pick(rng, first.deeds)} {_pick(rng, first.places)}."
    turn = with_articles(f"Then {_pick(rng, second.heroes)} turns up, and it becomes a {second.tag} story too.")
    parts = [opening, turn] if second is not first and rng.random() < 0.6 else [opening]
    return " ".join([*parts, _pick(rng, CLOSINGS[kind])])


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def _two(rng: np.random.Generator, options: tuple[str, ...]) -> tuple[str, str]:
    one, other = rng.choice(len(options), size=2, replace=False)
    return options[one], options[other]
