"""Reads of the outbox's state, for health, metrics and staff."""

from __future__ import annotations

from django.db import connection

from recsys.outbox.store import TOPICS

# Children are due since before they were written (see store.py), and have waited since they were.
_LAG = f"""
    WITH RECURSIVE {TOPICS}
    SELECT coalesce(extract(epoch FROM statement_timestamp() - min(foremost.waits_since)), 0)
    FROM topics CROSS JOIN LATERAL (
        SELECT greatest(leased_until, created_at) AS waits_since FROM outbox
        WHERE aggregatetype = topics.topic AND parked_at IS NULL AND leased_until <= statement_timestamp()
        ORDER BY leased_until LIMIT 1
    ) foremost
"""  # noqa: S608
_BACKLOG = """
    SELECT aggregatetype,
           CASE WHEN parked_at IS NOT NULL THEN 'parked'
                WHEN leased_until <= statement_timestamp() THEN 'due' ELSE 'leased' END,
           count(*)
    FROM outbox GROUP BY 1, 2 ORDER BY 1, 2
"""


def relay_lag() -> float:
    """For how many seconds the row that is next has been waiting for the relay, at most of all topics; 0: none is.

    Of a large job, the rows behind may have waited for up to HEAD_START more, while smaller jobs passed them.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LAG)
        return float(cursor.fetchone()[0])


def backlog() -> dict[str, dict[str, int]]:
    """How many rows of each topic are `due`, `leased` (being handled, or waiting to be tried again) and `parked`."""
    counts: dict[str, dict[str, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_BACKLOG)
        for topic, state, count in cursor.fetchall():
            counts.setdefault(topic, {})[state] = count
    return counts
