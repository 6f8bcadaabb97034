"""The shape of a demo: how big it is, and what its parts hand to one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from recsys.demo.tastes import Floats, Ints

HISTORY_DAYS = 60


@dataclass(frozen=True)
class DemoSize:
    """How much is generated. `posts` and `follows` are what the community above the recommender is asked for."""

    users: int = 2_000
    items: int = 3_000
    interactions: int = 100_000
    posts: int = 3_000
    follows: int = 30_000
    seed: int = 1


@dataclass(frozen=True)
class People:
    """Generated people; all sequences have one entry a person.

    `tastes` has shape (people, themes), `region` indexes `names.REGIONS`, `fame` is a heavy-tailed weight.
    """

    ids: Ints
    usernames: Sequence[str]
    display_names: Sequence[str]
    bios: Sequence[str]
    region: Ints
    tastes: Floats
    fame: Floats

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Catalogue:
    """Generated items; all sequences have one entry an item. `first` and `second` index `themes.THEMES`.

    `allowed` has shape (regions, items): where an item may be shown. `published` is in seconds since 1970.
    """

    ids: Ints
    kinds: Sequence[str]
    titles: Sequence[str]
    descriptions: Sequence[str]
    first: Ints
    second: Ints
    popularity: Floats
    allowed: NDArray[np.bool_]
    published: NDArray[np.float64]
    years: Ints

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Community:
    """What `settings.DEMO_COMMUNITY` is called with, to write the social graph and its posts."""

    size: DemoSize
    people: People
    catalogue: Catalogue
    now: datetime
    progress: bool

    def rng(self, part: int) -> np.random.Generator:
        """A generator of its own for each part, so that changing one part leaves the others as they were."""
        return np.random.default_rng([self.size.seed, part])
