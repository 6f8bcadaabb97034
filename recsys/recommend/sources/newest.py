from __future__ import annotations

from collections.abc import Sequence

from recsys.recommend.candidates import ELIGIBLE, Ask, Candidate, fetch

_SQL = f"SELECT item.id FROM catalog_item item WHERE {ELIGIBLE} ORDER BY item.id DESC LIMIT %(limit)s"  # noqa: S608


class Newest:
    """What was added last. Fills a slate where nothing is known of anything. Score: falls with the rank."""

    name = "new"

    def propose(self, ask: Ask) -> Sequence[Candidate]:
        return [Candidate(item_id, 1 / rank) for rank, (item_id,) in enumerate(fetch(_SQL, ask.parameters), start=1)]
