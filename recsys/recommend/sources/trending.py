from __future__ import annotations

import math
from collections.abc import Sequence

from recsys.events.heat import decayed_counts, region_chain
from recsys.recommend.candidates import ELIGIBLE, Ask, Candidate, fetch

# A plan that sorts every heat of a region would be the planner's choice without the LATERAL: the index serves each
# limit.
_SQL = f"""
SELECT near.item_id, chain.region, near.heat
FROM unnest(%(regions)s::varchar[]) AS chain (region) CROSS JOIN LATERAL (
    SELECT heat.item_id, heat.heat FROM events_itemheat heat JOIN catalog_item item ON item.id = heat.item_id
    WHERE heat.region = chain.region AND {ELIGIBLE}
    ORDER BY heat.heat DESC LIMIT %(limit)s
) near
"""  # noqa: S608

LEAST_COUNT = 1.0  # below it (in views, decayed to now) nothing trends, so that one click of last week is no trend
WIDER = 0.6  # what a score is worth in the next wider region


class Trending:
    """What is taken up now, near the reader first; backs off to the wider regions. Score: log of the decayed count."""

    name = "trending"

    def propose(self, ask: Ask) -> Sequence[Candidate]:
        found = warmth(fetch(_SQL, ask.parameters), ask.region)
        return sorted(found, key=lambda one: -one.score)[: ask.limit]


def warmth(rows: Sequence[tuple[int, str, float]], near: str) -> list[Candidate]:
    """What of (item, region, heat) trends for a reader in the region `near`: each item once, by its best score."""
    worth = {region: WIDER**steps for steps, region in enumerate(region_chain(near))}
    counts = decayed_counts([heat for _, _, heat in rows])
    most = {
        region: max((count for (_, where, _), count in zip(rows, counts, strict=True) if where == region), default=0)
        for region in worth
    }
    best: dict[int, Candidate] = {}
    for (item_id, region, _), count in zip(rows, counts, strict=True):
        if count < LEAST_COUNT:
            continue
        score = worth[region] * math.log1p(count) / math.log1p(most[region])
        if item_id not in best or score > best[item_id].score:
            best[item_id] = Candidate(item_id, score, region=region)
    return list(best.values())
