"""Handle everything that is due, here and now: for tests, and for commands that must not return before it is done."""

from __future__ import annotations

from itertools import groupby

from recsys.outbox import store
from recsys.outbox.handlers import execute, registered

MAX_ROUNDS = 1000


def drain() -> int:
    """Lease and handle due rows, and the children they leave, until nothing is due; return the number of rows handled.

    Raises the first error of a handler (its row waits for its next attempt, as always), LookupError for a topic without
    one and RuntimeError where it does not end.
    """
    handled = 0
    for _ in range(MAX_ROUNDS):
        rows = store.lease(limit=500)
        if not rows:
            return handled
        for topic, members in groupby(sorted(rows, key=lambda row: row.topic), key=lambda row: row.topic):
            if registered(topic) is None:
                raise LookupError(f"No handler is registered for the topic {topic!r}.")
            for _row, error in execute(topic, list(members)):
                raise error
        handled += len(rows)
    raise RuntimeError(f"Rows are still due after {MAX_ROUNDS} rounds: do handlers write rows for one another?")
