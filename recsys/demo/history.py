"""Generate what the people of the demo did: timestamped interactions that follow their tastes.

People meet items: mostly of the themes they like and mostly popular ones, lately also whatever is trending where they
live. A meeting is a view, and then, more probably the better it fits, a click and an opinion.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from recsys.demo.catalogue import about
from recsys.demo.community import HISTORY_DAYS, Catalogue, People
from recsys.demo.drawing import GroupedDraw, draw_columns, one_group
from recsys.demo.logins import DEMO_LOGINS
from recsys.demo.names import REGIONS
from recsys.demo.tastes import Floats, Ints
from recsys.demo.themes import THEMES

CHUNK = 50_000  # interactions generated at a time: bounds memory
ACTIVITY_SIGMA = 1.0  # of the lognormal of how much people do
BUSIEST = 20.0  # times the mean activity is the most that anybody does
LOGIN_INTERACTIONS = 80  # those who can be logged in as have at least about as many, where there are enough
EXPLORATION = 0.15  # of meetings are with what is popular whatever its theme
RECENT_DAYS = 3.0  # for which an item trends
TRENDING_SHARE = 0.35  # of the meetings of those days are with what trends in the region
TRENDING_ITEMS = 12  # per region

Row = tuple[int, int, str, float | None, str, datetime]


@dataclass(frozen=True)
class Meetings:
    """Who met what when. Arrays of one length; `person` and `item` are indices, `at` in seconds since 1970."""

    person: Ints
    item: Ints
    at: NDArray[np.float64]

    def take(self, which: NDArray[np.bool_] | Ints) -> Meetings:
        return Meetings(self.person[which], self.item[which], self.at[which])


def plan_activity(rng: np.random.Generator, people: int, interactions: int) -> Ints:
    """How many interactions each person has: lognormal, adding up to exactly `interactions`."""
    weights = rng.lognormal(0, ACTIVITY_SIGMA, people).clip(max=BUSIEST)
    plain = weights / weights.sum()
    if interactions:
        # Those whom a visitor logs in as must have a history to be recommended from.
        wanted = min(LOGIN_INTERACTIONS, interactions // 50 + 1) / interactions
        plain[: len(DEMO_LOGINS)] = plain[: len(DEMO_LOGINS)].clip(min=wanted)
    return rng.multinomial(interactions, plain / plain.sum()).astype(np.int64)


class History:
    """Iterates over rows (user_id, item_id, kind, value, region, occurred_at), some fifty thousand at a time."""

    def __init__(
        self, rng: np.random.Generator, people: People, catalogue: Catalogue, interactions: int, now: datetime
    ) -> None:
        self.rng, self.people, self.catalogue, self.now = rng, people, catalogue, now.timestamp()
        self.about = about(catalogue)
        self.counts = plan_activity(rng, len(people), interactions)
        self.by_theme = GroupedDraw(catalogue.first, catalogue.popularity, len(THEMES))
        self.by_popularity = one_group(catalogue.popularity)
        self.trending = self._choose_trending()

    @property
    def first_at(self) -> datetime:
        """No interaction is earlier."""
        return datetime.fromtimestamp(self.now - HISTORY_DAYS * 86_400, UTC)

    def __iter__(self) -> Iterator[Row]:
        ends = np.cumsum(self.counts)
        start = 0
        while start < len(self.counts):
            done = int(ends[start - 1]) if start else 0
            stop = max(int(np.searchsorted(ends, done + CHUNK, side="right")), start + 1)
            yield from self._rows(np.arange(start, stop))
            start = stop

    def _choose_trending(self) -> Ints:
        """What trends in each region: shape (regions, TRENDING_ITEMS), item indices, new ones first."""
        count = min(TRENDING_ITEMS, len(self.catalogue))
        recency = np.argsort(-self.catalogue.published)[: max(count * 8, 1)]
        chosen = [self.rng.choice(recency, size=count, replace=False) for _ in REGIONS]
        return np.array(chosen, dtype=np.int64).reshape(len(REGIONS), count)

    def _rows(self, persons: Ints) -> Iterator[Row]:
        person, item, at, kind, value = self._interactions(persons)
        regions = self.people.region[person]
        for row in zip(
            self.people.ids[person].tolist(), self.catalogue.ids[item].tolist(), kind.tolist(), value.tolist(),
            regions.tolist(), at.tolist(), strict=True,
        ):  # fmt: skip
            user, item_id, name, rating, region, seconds = row
            yield user, item_id, name, rating or None, REGIONS[region], datetime.fromtimestamp(seconds, UTC)

    def _interactions(self, persons: Ints) -> tuple[Ints, Ints, NDArray[np.float64], NDArray[np.str_], Floats]:
        """Exactly `counts` interactions for each of `persons`."""
        meetings = self._meet(persons)
        source, kind, value = self._react(meetings)
        person = meetings.person[source]
        # The first `counts` of each person; `rank` counts within the person, whose rows are contiguous.
        starts = np.searchsorted(person, persons)
        rank = np.arange(len(person)) - starts[person - persons[0]]
        kept = rank < self.counts[person]
        source, kind, value = source[kept], kind[kept], value[kept]
        missing = self.counts[persons] - np.bincount(meetings.person[source] - persons[0], minlength=len(persons))
        again = self._see_again(meetings, persons, missing)
        later = np.array([stage_delay(name) for name in kind]) * self.rng.random(len(kind))
        at = np.minimum(meetings.at[source] + later, self.now)
        return (
            np.concatenate([meetings.person[source], again.person]),
            np.concatenate([meetings.item[source], again.item]),
            np.concatenate([at, again.at]),
            np.concatenate([kind, np.full(len(again.person), "view")]),
            np.concatenate([value, np.zeros(len(again.person), dtype=np.float32)]),
        )

    def _meet(self, persons: Ints) -> Meetings:
        """As many meetings as each of `persons` will have interactions, less the repeated ones; sorted by person."""
        wanted = np.minimum(self.counts[persons], 3 * len(self.catalogue) + 10)
        person = np.repeat(persons, wanted)
        at = self.now - HISTORY_DAYS * 86_400 * self.rng.beta(1.0, 1.6, len(person))
        item = self._choose_items(person, at)
        # Nothing is met before it came out.
        out = self.catalogue.published[item]
        at = np.where(at < out, self.rng.uniform(np.minimum(out, self.now), self.now), at)
        allowed = self.catalogue.allowed[self.people.region[person], item]
        _, firsts = np.unique(person * len(self.catalogue) + item, return_index=True)
        firsts.sort()
        return Meetings(person, item, at).take(firsts[allowed[firsts]])

    def _choose_items(self, person: Ints, at: NDArray[np.float64]) -> Ints:
        rng, size = self.rng, len(person)
        low, high = (int(person[0]), int(person[-1]) + 1) if size else (0, 1)
        theme = draw_columns(rng, self.people.tastes[low:high], person - low)
        anything = (rng.random(size) < EXPLORATION) | ~self.by_theme.filled[theme]
        popular = self.by_popularity.draw(rng, np.zeros(size, dtype=np.int64))
        item = np.where(anything, popular, self.by_theme.draw(rng, theme))
        # Skewed, so that a region has a clear first among what trends.
        slot = (rng.random(size) ** 1.7 * self.trending.shape[1]).astype(np.int64)
        trends = (at > self.now - RECENT_DAYS * 86_400) & (rng.random(size) < TRENDING_SHARE)
        chosen: Ints = np.where(trends, self.trending[self.people.region[person], slot], item)
        return chosen

    def _react(self, meetings: Meetings) -> tuple[Ints, NDArray[np.str_], Floats]:
        """What came of each meeting: indices into `meetings` (sorted), kinds, and ratings (0: none)."""
        rng, size = self.rng, len(meetings.person)
        # How well it fits: the taste for the item's themes, against that person's best theme.
        taste = self.people.tastes[meetings.person]
        fit = (taste * self.about[meetings.item]).sum(axis=1) / taste.max(axis=1).clip(min=1e-6)
        fit = fit.clip(0, 1) ** 0.5
        clicked = rng.random(size) < 0.2 + 0.6 * fit
        chance = rng.random(size)
        # What of those who clicked, in this order: rate, like, dislike, hide, nothing.
        steps = np.cumsum([0.15 + 0.15 * fit, 0.05 + 0.3 * fit, 0.08 * (1 - fit), 0.03 * (1 - fit)], axis=0)
        opinion = np.array(["rate", "like", "dislike", "hide", ""])[(chance >= steps).sum(axis=0)]
        stars = (np.round(2 * (1.6 + 3.2 * fit + rng.normal(0, 0.6, size))) / 2).clip(0.5, 5)
        spoken = clicked & (opinion != "")
        index = np.arange(size)
        source = np.concatenate([index, index[clicked], index[spoken]])
        kind = np.concatenate([np.full(size, "view"), np.full(clicked.sum(), "click"), opinion[spoken]])
        value = np.concatenate([np.zeros(size + clicked.sum()), np.where(opinion == "rate", stars, 0)[spoken]])
        order = np.argsort(source, kind="stable")
        return source[order], kind[order], value[order].astype(np.float32)

    def _see_again(self, meetings: Meetings, persons: Ints, missing: Ints) -> Meetings:
        """`missing` more views by each of `persons`, who met too few different items: of those that they met before."""
        person = np.repeat(persons, missing)
        starts = np.searchsorted(meetings.person, person)
        known = np.searchsorted(meetings.person, person, side="right") - starts
        place = starts + (self.rng.random(len(person)) * known).astype(np.int64)
        # Who met nothing at all (everything was forbidden there) sees the most popular item that may be shown there.
        item = np.argmax(self.catalogue.allowed * self.catalogue.popularity, axis=1)[self.people.region[person]]
        since = np.maximum(self.catalogue.published[item], self.now - HISTORY_DAYS * 86_400)
        if len(meetings.person):
            place = np.minimum(place, len(meetings.person) - 1)
            item = np.where(known > 0, meetings.item[place], item)
            since = np.where(known > 0, meetings.at[place], since)
        return Meetings(person, item, self.rng.uniform(np.minimum(since, self.now), self.now))


def stage_delay(kind: str) -> float:
    """Seconds within which this follows the view."""
    return {"view": 0.0, "click": 60.0, "rate": 4 * 3600.0}.get(kind, 600.0)
