"""Sources that propose nothing new but score what they are given; with them, timelines are ranked by the engine.

They answer like other sources, so the engine asks, bounds, blends and explains them like others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from recsys.recommend.candidates import Ask, Candidate, fetch
from recsys.recommend.serving import CF, CONTENT
from recsys.recommend.sources.collaborative import Collaborative, history_weights
from recsys.recommend.sources.content import HISTORY as CONTENT_HISTORY
from recsys.recommend.sources.trending import warmth
from recsys.recommend.vectors import from_sent

HALF_LIFE = timedelta(days=1)  # of freshness
AFFINITY_HISTORY = 500  # items

_FACTORS = """
SELECT item_id, halfvec_send(vector) FROM recommend_factorvector
WHERE model_version = %(version)s AND item_id = ANY (%(items)s::bigint[])
"""
_CONTENT = """
SELECT DISTINCT ON (content.item_id) content.item_id,
       -(content.vector <#> mine.vector) * anchor.weight AS score, anchor.item_id
FROM catalog_contentvector content
CROSS JOIN unnest(%(anchors)s::bigint[], %(weights)s::float8[]) AS anchor (item_id, weight)
JOIN catalog_contentvector mine ON mine.item_id = anchor.item_id AND mine.model_version = %(version)s
WHERE content.model_version = %(version)s AND content.item_id = ANY (%(items)s::bigint[])
ORDER BY content.item_id, score DESC
"""
_HEAT = """
SELECT item_id, region, heat FROM events_itemheat
WHERE region = ANY (%(regions)s::varchar[]) AND item_id = ANY (%(items)s::bigint[])
"""
_CREATORS = "SELECT id, creator_id FROM catalog_item WHERE id = ANY (%(items)s::bigint[]) AND creator_id IS NOT NULL"
_TIMES = "SELECT id, published_at FROM catalog_item WHERE id = ANY (%(items)s::bigint[])"


@dataclass(frozen=True)
class Given:
    """An item to be ranked. `shown` is what it shows (itself, unless it passes on another one), `about` an item that it
    speaks of, if any.
    """

    item_id: int
    shown: int
    about: int | None = None


@dataclass(frozen=True)
class GivenCollaborative:
    """The predicted preference for what an item shows or speaks of, whichever is larger."""

    items: Sequence[Given]
    name = "cf"

    def propose(self, ask: Ask) -> Sequence[Candidate]:
        past = Collaborative().fold(ask)
        if past is None:
            return []
        of = _by(self.items, lambda one: (one.shown, one.about))
        rows = fetch(_FACTORS, {"version": ask.models[CF], "items": list(of)})
        if not rows:
            return []
        shares = from_sent([sent for _, sent in rows]) @ past.folded.carried.T
        scores, carriers = shares.sum(axis=1).tolist(), shares.argmax(axis=1).tolist()
        return _best(
            Candidate(entry, score, anchor_id=past.anchors[carrier])
            for (item, _), score, carrier in zip(rows, scores, carriers, strict=True)
            for entry in of[item]
        )


@dataclass(frozen=True)
class GivenContent:
    """The likeness of an item's words to those of the items that the reader took up last."""

    items: Sequence[Given]
    name = "content"

    def propose(self, ask: Ask) -> Sequence[Candidate]:
        recent = ask.recent[:CONTENT_HISTORY]
        if CONTENT not in ask.models or not recent:
            return []
        of = _by(self.items, lambda one: (one.shown,))
        weights = history_weights(recent)
        parameters = {
            "version": ask.models[CONTENT],
            "anchors": [one.item_id for one in recent],
            "weights": (weights / weights.max()).tolist(),
            "items": list(of),
        }
        rows = fetch(_CONTENT, parameters)
        return _best(Candidate(entry, score, anchor_id=anchor) for item, score, anchor in rows for entry in of[item])


@dataclass(frozen=True)
class GivenHeat:
    """How much an item is taken up now, near the reader."""

    items: Sequence[Given]
    name = "trending"

    def propose(self, ask: Ask) -> Sequence[Candidate]:
        of = _by(self.items, lambda one: (one.shown,))
        rows = fetch(_HEAT, {"regions": ask.parameters["regions"], "items": list(of)})
        found = warmth(rows, ask.region)
        return _best(Candidate(entry, one.score, region=one.region) for one in found for entry in of[one.item_id])


@dataclass(frozen=True)
class Affinity:
    """How often the reader took up what the same people made, lately above all. Score: log of the summed strengths.

    The anchor is the item of theirs that says most.
    """

    items: Sequence[Given]
    name = "affinity"

    def propose(self, ask: Ask) -> Sequence[Candidate]:
        recent = ask.recent[:AFFINITY_HISTORY]
        if not recent:
            return []
        of = _by(self.items, lambda one: (one.item_id, one.shown))
        creators = dict(fetch(_CREATORS, {"items": [*of, *(one.item_id for one in recent)]}))
        sums: dict[int, float] = {}
        anchors: dict[int, tuple[float, int]] = {}
        for one, weight in zip(recent, history_weights(recent).tolist(), strict=True):
            if (creator := creators.get(one.item_id)) is not None:
                sums[creator] = sums.get(creator, 0.0) + weight
                anchors[creator] = max(anchors.get(creator, (0.0, 0)), (weight, one.item_id))
        return _best(
            Candidate(entry, math.log1p(sums[creator]), anchor_id=anchors[creator][1])
            for item, entries in of.items()
            if (creator := creators.get(item)) in sums
            for entry in entries
        )


@dataclass(frozen=True)
class Fresh:
    """How new an item is: halves with each HALF_LIFE."""

    items: Sequence[Given]
    name = "fresh"

    def propose(self, ask: Ask) -> Sequence[Candidate]:
        now = datetime.now(UTC)
        rows = fetch(_TIMES, {"items": [one.item_id for one in self.items]})
        return [Candidate(item, 2.0 ** min(0.0, (at - now) / HALF_LIFE)) for item, at in rows]


@dataclass(frozen=True)
class AsGiven:
    """The order in which they were given, where nothing else answered."""

    items: Sequence[Given]
    name = "new"

    def propose(self, ask: Ask) -> Sequence[Candidate]:
        return [Candidate(one.item_id, 1 / rank) for rank, one in enumerate(self.items, start=1)]


def _by(items: Iterable[Given], sides: Callable[[Given], Iterable[int | None]]) -> dict[int, list[int]]:
    """For each item whose signals count, the given ones for which they do."""
    found: dict[int, list[int]] = {}
    for one in items:
        for item in {side for side in sides(one) if side is not None}:
            found.setdefault(item, []).append(one.item_id)
    return found


def _best(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The best candidate for each item, of those with a score."""
    best: dict[int, Candidate] = {}
    for one in candidates:
        if one.score > 0 and (one.item_id not in best or one.score > best[one.item_id].score):
            best[one.item_id] = one
    return list(best.values())
