"""What follows from a change of an item."""

from __future__ import annotations

from collections.abc import Sequence

from recsys.outbox.handlers import Row, handler
from recsys.recommend.embedding import do_embed_items


@handler("catalog.item", effect="transaction")
def embed_items(rows: Sequence[Row]) -> None:
    """Place new and changed items in the content space. The vector of a deleted one went with it, by cascade."""
    changed = {int(row.key) for row in rows if row.type != "delete"}
    if changed:
        do_embed_items(item_ids=changed)
