"""What follows from a change of what is counted of items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recsys.catalog.counts import TOPIC, publish_counts
from recsys.outbox.handlers import Child, Row, handler


def counted(items: Iterable[int]) -> list[Child]:
    """The child that tells of the counters of these items, for a handler that may do nothing outside of PostgreSQL."""
    ids = sorted(set(items))
    return [Child(TOPIC, str(len(ids)), "changed", {"items": ids})] if ids else []


@handler(TOPIC)
def tell_of_counts(rows: Sequence[Row]) -> list[Child]:
    """Tell those who look at them what is counted of items now; rows of type "settle" are items that had to wait."""
    waited = {int(row.key) for row in rows if row.type == "settle"}
    return publish_counts(waited.union(*(row.payload["items"] for row in rows if row.type == "changed")))
