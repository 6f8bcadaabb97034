"""What follows from an event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from recsys.events.heat import Warmth, add_heat
from recsys.events.strength import strength
from recsys.outbox.handlers import Row, handler


@handler("events.interaction", effect="transaction")
def warm_items(rows: Sequence[Row]) -> None:
    """Count positive events into the heat of their items; in the transaction that deletes the rows, so each once."""
    add_heat(_warmths(rows))


def _warmths(rows: Iterable[Row]) -> Iterable[Warmth]:
    for row in rows:
        event = row.payload
        amount = strength(event["kind"], event["value"])
        if amount > 0:
            yield Warmth(event["item_id"], event["region"], amount, datetime.fromisoformat(event["occurred_at"]))
