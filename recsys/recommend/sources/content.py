from __future__ import annotations

from collections.abc import Sequence

from recsys.recommend.candidates import ELIGIBLE, Ask, Candidate, fetch
from recsys.recommend.serving import CONTENT
from recsys.recommend.sources.collaborative import history_weights

HISTORY = 5  # one index scan each

_SQL = f"""
SELECT near.id, -near.distance * anchor.weight, anchor.item_id
FROM unnest(%(anchors)s::bigint[], %(weights)s::float8[]) AS anchor (item_id, weight)
JOIN catalog_contentvector mine ON mine.item_id = anchor.item_id AND mine.model_version = %(version)s
CROSS JOIN LATERAL (
    SELECT item.id, content.vector <#> mine.vector AS distance
    FROM catalog_contentvector content JOIN catalog_item item ON item.id = content.item_id
    WHERE content.model_version = %(version)s AND item.id <> anchor.item_id AND {ELIGIBLE}
    ORDER BY content.vector <#> mine.vector LIMIT %(each)s
) near
"""  # noqa: S608

LEAST_SIMILARITY = 0.05


class Content:
    """What reads like the items that the reader took up last; reaches items that nobody has met yet.

    Score: cosine of the texts times the weight of the anchor.
    """

    name = "content"

    def propose(self, ask: Ask) -> Sequence[Candidate]:
        version = ask.models.get(CONTENT)
        recent = ask.recent[:HISTORY]
        if version is None or not recent:
            return []
        weights = history_weights(recent)
        weights = weights / weights.max()
        parameters = {
            "version": version,
            "anchors": [one.item_id for one in recent],
            "weights": weights.tolist(),
            "each": max(10, ask.limit // len(recent)),
        }
        best: dict[int, Candidate] = {}
        for item_id, score, anchor_id in fetch(_SQL, {**ask.parameters, **parameters}):
            if score > LEAST_SIMILARITY * weights.min() and (item_id not in best or score > best[item_id].score):
                best[item_id] = Candidate(item_id, score, anchor_id=anchor_id)
        return sorted(best.values(), key=lambda one: -one.score)[: ask.limit]
