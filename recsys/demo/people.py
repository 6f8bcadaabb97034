"""Generate the people of the demo: names, regions, bios, tastes and fame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from recsys.demo.catalogue import with_articles
from recsys.demo.community import People
from recsys.demo.logins import DEMO_LOGINS
from recsys.demo.names import REGIONS, SHARES, draw_name
from recsys.demo.tastes import Floats, Ints, draw_tastes, taste_for
from recsys.demo.themes import THEMES

FAME_EXPONENT = 1.1  # of the Pareto distribution of fame: a handful of people are known by most
BIOS = (
    "{first} stories, mostly. Sometimes {second}.",
    "Here for the {first} stories.",
    "{first} stories and {second} stories, in that order.",
    "I keep lists of {first} stories so you don't have to.",
    "Reads, watches, complains. Favourite subject: {first}.",
    "Will talk about {first} stories until asked to stop.",
    "Teacher by day, {first} stories by night.",
    "Two children, one cat, too many {first} stories.",
    "Formerly of a {first} podcast. Now just opinions.",
    "Looking for {second} stories as good as the {first} ones I grew up with.",
    "Nurse on nights; {first} stories at breakfast.",
    "Slow reader. {first}, {second}, tea.",
    "Film club on Thursdays. We do {first} far too often.",
    "Writing a thesis on {second} stories, avoiding it with {first} ones.",
    "",
    "",
    "",
)


def generate_people(rng: np.random.Generator, ids: Ints, others: Iterable[str] = ()) -> People:
    """People for `ids`; the first ones are those of `DEMO_LOGINS`, as far as there is room for them.

    `others` are usernames that somebody else has.
    """
    tastes = draw_tastes(rng, len(ids))
    region = rng.choice(len(REGIONS), size=len(ids), p=np.array(SHARES) / sum(SHARES)).astype(np.int64)
    fame = (rng.pareto(FAME_EXPONENT, len(ids)) + 1).astype(np.float32)
    taken = Counter(others)
    usernames: list[str] = []
    display_names: list[str] = []
    bios: list[str] = []
    for number, login in enumerate(DEMO_LOGINS[: len(ids)]):
        tastes[number] = taste_for(login.tastes)
        region[number] = REGIONS.index(login.region)
        fame[number] = np.quantile(fame, 0.9)
        taken[login.username] += 1
        usernames.append(login.username)
        display_names.append(login.display_name)
        bios.append(login.bio)
    for number in range(len(usernames), len(ids)):
        name, handle = draw_name(rng, REGIONS[region[number]])
        usernames.append(_distinct(handle, taken))
        display_names.append(name)
        bios.append(_bio(rng, tastes[number]))
    return People(ids, usernames, display_names, bios, region, tastes, fame)


def _distinct(handle: str, taken: Counter[str]) -> str:
    """`handle`, with a number behind it from its second bearer on."""
    taken[handle] += 1
    if taken[handle] == 1:
        return handle
    numbered = f"{handle}{taken[handle]}"
    return numbered if numbered not in taken else _distinct(handle, taken)


def _bio(rng: np.random.Generator, taste: Floats) -> str:
    second, first = np.argsort(taste)[-2:]
    pattern = BIOS[int(rng.integers(len(BIOS)))]
    bio = with_articles(pattern.format(first=THEMES[first].tag, second=THEMES[second].tag))
    return bio[:1].upper() + bio[1:]
