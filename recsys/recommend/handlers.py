"""What follows from a change of an item, and from what people did."""

from __future__ import annotations

from collections.abc import Sequence

from recsys.events.handlers import RECORDED
from recsys.outbox.handlers import Child, Row, handler
from recsys.recommend import dashboards
from recsys.recommend.embedding import do_embed_items


@handler("catalog.item", effect="transaction")
def embed_items(rows: Sequence[Row]) -> None:
    """Place new and changed items in the content space. The vector of a deleted one went with it, by cascade."""
    changed = {int(row.key) for row in rows if row.type != "delete"}
    if changed:
        do_embed_items(item_ids=changed)


@handler(RECORDED)
def tell_of_events(rows: Sequence[Row]) -> list[Child]:
    """Tell those who look on what has changed by what people did."""
    return dashboards.publish_dashboards()


@handler(dashboards.TOPIC)
def rank_waiting_dashboards(rows: Sequence[Row]) -> list[Child]:
    """Rank dashboards whose turn it was not yet."""
    return dashboards.publish_dashboards({row.key for row in rows})
