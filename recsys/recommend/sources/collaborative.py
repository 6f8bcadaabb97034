from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Past:
    """A reader folded in, and the items (n,) of their past in the order of `folded.carried` (n, d)."""

    anchors: list[int]
    folded: FoldedUser


class Collaborative:
    """What people with the same past went on to: the reader folded into the matrix factorisation, and the nearest
    items.

    Score: the predicted preference. The anchor is the item of the past that carried most of it.
    """

    name = "cf"

    def propose(self, ask: Ask) -> Sequence[Candidate]:
        past = self.fold(ask)
        if past is None:
            return []
        vector = to_text(past.folded.vector)
        nearest = fetch(_NEAREST, {**ask.parameters, "version": ask.models[CF], "vector": vector})
        if not nearest:
            return []
        shares = from_sent([sent for _, sent in nearest]) @ past.folded.carried.T
        scores, carriers = shares.sum(axis=1), shares.argmax(axis=1)
        return [
            Candidate(item_id, float(score), anchor_id=past.anchors[carrier])
            for (item_id, _), score, carrier in zip(nearest, scores, carriers, strict=True)
            if score > 0
        ]

    def fold(self, ask: Ask) -> Past | None:
        """The reader in the space of the items' factors; None where the model knows nothing of what they took up."""
        version = ask.models.get(CF)
        recent = {one.item_id: one for one in ask.recent[:HISTORY]}
        if version is None or not recent:
            return None
        rows = fetch(_HISTORY, {"version": version, "items": list(recent)})
        if not rows:
            return None
        anchors = [item_id for item_id, _ in rows]
        model = factor_model(version)
        weights = history_weights([recent[one] for one in anchors])
        return Past(anchors, fold_in(from_sent([sent for _, sent in rows]), weights, model.side, model.config))


def history_weights(history: Sequence[RecentItem]) -> NDArray[np.float32]:
    """Confidence weights: an event's strength, less for one long before the reader's newest (whenever that was)."""
    newest = max(one.occurred_at for one in history)
    ages = [(newest - one.occurred_at).total_seconds() / 86_400 for one in history]
    strengths = np.array([one.strength for one in history], dtype=np.float32)
    return strengths * recency_weights(ages, HALF_LIFE_DAYS, floor=0.2)
