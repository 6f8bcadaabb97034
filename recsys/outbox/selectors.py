"""Reads of the outbox's state, for health, metrics and staff."""

from __future__ import annotations

from django.db import connection

_LAG = """
    SELECT coalesce(extract(epoch FROM statement_timestamp() - min(leased_until)), 0)
    FROM outbox WHERE parked_at IS NULL AND leased_until <= statement_timestamp()
"""
_BACKLOG = """
    SELECT aggregatetype,
           CASE WHEN parked_at IS NOT NULL THEN 'parked'
                WHEN leased_until <= statement_timestamp() THEN 'due' ELSE 'leased' END,
           count(*)
    FROM outbox GROUP BY 1, 2 ORDER BY 1, 2
"""


def relay_lag() -> float:
    """For how many seconds the oldest row that is due has been waiting for the relay; 0 where none is."""
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
