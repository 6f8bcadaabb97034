from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml.als import FoldedUser, fold_in
from ml.decay import recency_weights
from recsys.events.features import RecentItem
from recsys.recommend.candidates import ELIGIBLE, Ask, Candidate, fetch
from recsys.recommend.serving import CF, factor_model
from recsys.recommend.vectors import from_sent, to_text

HISTORY = 50
HALF_LIFE_DAYS = 30.0

_HISTORY = """
SELECT item_id, halfvec_send(vector) FROM recommend_factorvector
WHERE model_version = %(version)s AND item_id = ANY (%(items)s::bigint[])
"""
_NEAREST = f"""
SELECT item.id, halfvec_send(factor.vector)
FROM recommend_factorvector factor JOIN catalog_item item ON item.id = factor.item_id
WHERE factor.model_version = %(version)s AND {ELIGIBLE}
ORDER BY factor.vector <#> %(vector)s::halfvec LIMIT %(limit)s
"""  # noqa: S608


class Collaborative:
    """What people with the same past went on to: the reader folded into the matrix factorisation, and the nearest
    items.

    Score: the predicted preference. The anchor is the item of the past that carried most of it.
    """

    name = "cf"

    def propose(self, ask: Ask) -> Sequence[Candidate]:
        version = ask.models.get(CF)
        recent = {one.item_id: one for one in ask.recent[:HISTORY]}
        if version is None or not recent:
            return []
        rows = fetch(_HISTORY, {"version": version, "items": list(recent)})
        if not rows:
            return []
        anchors = [item_id for item_id, _ in rows]
        folded = self._fold(version, from_sent([sent for _, sent in rows]), [recent[one] for one in anchors])
        nearest = fetch(_NEAREST, {**ask.parameters, "version": version, "vector": to_text(folded.vector)})
        if not nearest:
            return []
        shares = from_sent([sent for _, sent in nearest]) @ folded.carried.T
        scores, carriers = shares.sum(axis=1), shares.argmax(axis=1)
        return [
            Candidate(item_id, float(score), anchor_id=anchors[carrier])
            for (item_id, _), score, carrier in zip(nearest, scores, carriers, strict=True)
            if score > 0
        ]

    def _fold(self, version: int, factors: NDArray[np.float32], history: list[RecentItem]) -> FoldedUser:
        model = factor_model(version)
        return fold_in(factors, history_weights(history), model.side, model.config)


def history_weights(history: Sequence[RecentItem]) -> NDArray[np.float32]:
    """Confidence weights: an event's strength, less for one long before the reader's newest (whenever that was)."""
    newest = max(one.occurred_at for one in history)
    ages = [(newest - one.occurred_at).total_seconds() / 86_400 for one in history]
    strengths = np.array([one.strength for one in history], dtype=np.float32)
    return strengths * recency_weights(ages, HALF_LIFE_DAYS, floor=0.2)
