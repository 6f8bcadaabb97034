from __future__ import annotations

import math
from collections.abc import Sequence

from recsys.recommend.candidates import ELIGIBLE, Ask, Candidate, fetch

_SQL = f"""
SELECT item.id, heat.total FROM events_itemheat heat JOIN catalog_item item ON item.id = heat.item_id
WHERE heat.region = '' AND heat.total > 0 AND {ELIGIBLE}
ORDER BY heat.total DESC, item.id LIMIT %(limit)s
"""  # noqa: S608


class Popular:
    """What most people took up, ever and everywhere. Score: log of the count."""

    name = "popular"

    def propose(self, ask: Ask) -> Sequence[Candidate]:
        return [Candidate(item_id, math.log1p(total)) for item_id, total in fetch(_SQL, ask.parameters)]
