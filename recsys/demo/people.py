"""Generate the people of the demo: names, regions, bios, tastes and fame."""

from __future__ import annotations

from collections import Counter

import numpy as np

from recsys.demo.community import People
from recsys.demo.logins import DEMO_LOGINS
from recsys.demo.names import REGIONS, SHARES, draw_name
from recsys.demo.tastes import Floats, Ints, draw_tastes, taste_for
from recsys.demo.themes import THEMES

FAME_EXPONENT = 1.1  # of the Pareto distribution of fame: a handful of people are known by most
BIOS = (
    "{first}, mostly. Sometimes {second}.",
    "Here for the {first}.",
    "{first} and {second}, in that order.",
    "I keep lists of {first} so you don't have to.",
    "Reads, watches, complains. Favourite subject: {first}.",
    "Will talk about {first} until asked to stop.",
    "Teacher by day, {first} by night.",
    "Two children, one cat, too much {first}.",
    "Formerly of a {first} podcast. Now just opinions.",
    "Looking for {second} as good as the {first} I grew up with.",
    "Nurse on nights; {first} at breakfast.",
    "Slow reader. {first}, {second}, tea.",
    "",
    "",
    "",
)


def generate_people(rng: np.random.Generator, ids: Ints) -> People:
    """People for `ids`; the first ones are those of `DEMO_LOGINS`, as far as there is room for them."""
    tastes = draw_tastes(rng, len(ids))
    region = rng.choice(len(REGIONS), size=len(ids), p=np.array(SHARES) / sum(SHARES)).astype(np.int64)
    fame = (rng.pareto(FAME_EXPONENT, len(ids)) + 1).astype(np.float32)
    taken: Counter[str] = Counter()
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
    bio = pattern.format(first=THEMES[first].tag, second=THEMES[second].tag)
    return bio[:1].upper() + bio[1:]
