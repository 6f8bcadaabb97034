"""The handler of the outbox's bench: what is measured is the way to it and from it."""

from __future__ import annotations

from collections.abc import Sequence

from recsys.outbox.handlers import Row, handler


@handler("bench.post", batch=500)
def take_posts(rows: Sequence[Row]) -> None:
    """Nothing to do: the rows are finished when this returns."""
