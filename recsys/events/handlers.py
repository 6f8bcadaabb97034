"""What follows from an event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from recsys.events.heat import Warmth, add_heat
from recsys.events.strength import VERDICTS, strength
from recsys.outbox.handlers import Child, Row, handler

# What else follows from events, for those who look on; the apps above say what (see recommend/handlers.py).
RECORDED = "events.recorded"


@handler("events.interaction", effect="transaction")
def warm_items(rows: Sequence[Row]) -> list[Child]:
    """Count positive events into the heat of their items; in the transaction that deletes the rows, so each once.

    One child for all of them goes on outside of the transaction.
    """
    add_heat(_warmths(rows))
    return [Child(RECORDED, str(len(rows)), "batch", _summary(rows))] if rows else []


def _summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Whose events, and about which items; `verdicts` are those in which somebody spoke for or against an item."""
    events = [row.payload for row in rows]
    said = {(event["user_id"], event["item_id"]) for event in events if event["kind"] in VERDICTS}
    return {
        "users": sorted({event["user_id"] for event in events}),
        "items": sorted({event["item_id"] for event in events}),
        "verdicts": sorted(said),
    }


def _warmths(rows: Iterable[Row]) -> Iterable[Warmth]:
    for row in rows:
        event = row.payload
        amount = strength(event["kind"], event["value"])
        if amount > 0:
            yield Warmth(event["item_id"], event["region"], amount, datetime.fromisoformat(event["occurred_at"]))
