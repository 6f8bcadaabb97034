"""The outbox's SQL, in one place: lease, begin, finish, fail, park.

    due ──lease──▶ leased ──begin──▶ (handler) ──finish──▶ gone, children in its place
     ▲                │ lease runs out: worker killed, message lost
     └────────────────┴──fail: after a back-off──▶ … ──▶ parked after MAX_ATTEMPTS, with the error

`leased_until` alone says when a row is due: now for a new one, later for one that is being handled or that failed.
Children are due since before they were written, by place, so that all are due at once, and a job that comes when a
larger one is half done goes past the rest of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.db import connection

from recsys.outbox.rows import Child, Row

LEASE = 60  # seconds a handler has for its batch before the rows go out again
MAX_ATTEMPTS = 8
LONGEST_BACK_OFF = 300  # seconds
# The child in place n lets those pass that are written within n STEPs after it, but none for longer than HEAD_START.
# A STEP is more than handling a child takes: so what is left of a job when another comes is behind the other's first.
STEP = 0.1  # seconds
HEAD_START = 120  # seconds
LONGEST_ERROR = 4000  # characters kept of an error

# The topics that have rows, from the index alone: a step for each topic, however many rows there are.
TOPICS = """topics AS (
        (SELECT aggregatetype AS topic FROM outbox WHERE parked_at IS NULL ORDER BY aggregatetype LIMIT 1)
        UNION ALL
        SELECT (SELECT aggregatetype FROM outbox WHERE parked_at IS NULL AND aggregatetype > topics.topic
                ORDER BY aggregatetype LIMIT 1)
        FROM topics WHERE topic IS NOT NULL
    )"""
# Topic by topic, so that a million rows of one topic hold up nobody else's, and rows whose queue is full stay here.
# Rows are updated where they were locked (ctid): a join with the table would be planned as a scan of all of it.
# A lease that a crash of PostgreSQL takes back only means that the row goes out again: no need to wait for the disk.
_LEASE = f"""
    WITH RECURSIVE {TOPICS}, due AS (
        SELECT taken.* FROM topics
        LEFT JOIN unnest(%(bounded)s::text[], %(rooms)s::int[]) AS bound (topic, room) USING (topic)
        CROSS JOIN LATERAL (
            SELECT id, ctid AS place, attempts, leased_until AS due_at FROM outbox
            WHERE aggregatetype = topics.topic AND parked_at IS NULL AND leased_until <= statement_timestamp()
            ORDER BY leased_until LIMIT least(coalesce(room, %(limit)s), %(limit)s) FOR UPDATE SKIP LOCKED
        ) taken
    ), leased AS (
        UPDATE outbox o
        SET leased_until = statement_timestamp() + make_interval(secs => %(lease)s), attempts = greatest(o.attempts, 1)
        FROM (SELECT set_config('synchronous_commit', 'off', true)) quick
        WHERE o.ctid = ANY(ARRAY(SELECT place FROM due))
        RETURNING o.id, o.aggregatetype, o.aggregateid, o.type, o.payload, o.request_id
    )
    SELECT leased.id::text, aggregatetype, aggregateid, type, payload::text, due.attempts, request_id
    FROM leased JOIN due USING (id) ORDER BY due.due_at
"""  # noqa: S608
_FINISH = """
    DELETE FROM outbox USING (SELECT set_config('synchronous_commit', 'off', true)) quick
    WHERE id = ANY(%s::uuid[]) RETURNING id::text
"""
# A child of a span is named by it, so that a second one is none. Nobody handles it before the span is over, so it will
# see what was committed before any of those who asked for it did. In the order of ids, so that two of these cannot
# wait for each other in a circle.
_INSERT_CHILDREN = """
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, leased_until, request_id)
    SELECT CASE WHEN every > 0 THEN md5(concat_ws('|', topic, key, type, every, span))::uuid ELSE gen_random_uuid() END,
           topic, key, type, payload,
           CASE WHEN every > 0 THEN to_timestamp((span + 1) * every)
           -- From HEAD_START before now, in steps that begin as STEP and become smaller, to just before now.
           ELSE statement_timestamp()
                - make_interval(secs => %(head_start)s / (1 + place * %(step)s / %(head_start)s)) END,
           %(request)s
    FROM unnest(%(topics)s::text[], %(keys)s::text[], %(types)s::text[], %(payloads)s::jsonb[], %(places)s::int[],
                %(everies)s::float8[]) AS child (topic, key, type, payload, place, every)
    CROSS JOIN LATERAL (
        SELECT floor(extract(epoch FROM statement_timestamp())::float8 / nullif(every, 0)) AS span
    ) now
    ORDER BY 1 ON CONFLICT (id) DO NOTHING
"""
_FAIL = """
    UPDATE outbox SET
        last_error = %(error)s,
        attempts = CASE WHEN %(counts)s THEN attempts ELSE greatest(attempts - 1, 1) END,
        leased_until = statement_timestamp() + make_interval(
            secs => CASE WHEN %(counts)s THEN least(2 ^ attempts, %(longest)s) ELSE 2 END),
        parked_at = CASE WHEN %(counts)s AND attempts >= %(most)s THEN statement_timestamp() END
    WHERE id = %(id)s::uuid
"""


def lease(limit: int, rooms: Mapping[str, int] | None = None) -> list[Row]:
    """Take up to `limit` due rows of each topic, the longest due first; nobody else gets them for LEASE seconds.

    `rooms` bounds single topics further.
    """
    rooms = rooms or {}
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {
            "limit": limit,
            "lease": LEASE,
            "bounded": list(rooms),
            "rooms": list(rooms.values()),
        }
        cursor.execute(_LEASE, parameters)
        return [
            Row(row_id, topic, key, kind, orjson.loads(payload), attempts, request_id)
            for row_id, topic, key, kind, payload, attempts, request_id in cursor.fetchall()
        ]


def begin(rows: Sequence[Row]) -> list[Row]:
    """Count this execution of rows that were leased before, and park those that ended their process each time.

    The first lease has counted itself. Counting again at each lease would park rows that nobody handled, for want of a
    worker; not counting at all would let a row that kills its worker do so for ever.
    """
    again = [row.id for row in rows if row.attempts]
    if not again:
        return list(rows)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE outbox SET attempts = attempts + 1 WHERE id = ANY(%s::uuid[])", [again])
    exhausted = [row.id for row in rows if row.attempts > MAX_ATTEMPTS]
    if exhausted:
        park(exhausted, f"Begun {MAX_ATTEMPTS} times and never ended: its handler was killed or outlived its lease.")
    return [row for row in rows if row.attempts <= MAX_ATTEMPTS]


def finish(rows: Sequence[Row]) -> set[str]:
    """Delete the rows and return the ids of those that were still there: the others somebody else has finished.

    The transaction that does this, whatever else it writes, does not wait for the disk when it commits: what a crash
    takes from it, it takes as a whole, and the rows go out again.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FINISH, [[row.id for row in rows]])
        return {row_id for (row_id,) in cursor.fetchall()}


def add_children(children: Sequence[Child], request_id: str | None) -> None:
    """Write rows that continue a job, on behalf of the request that began it."""
    if not children:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT_CHILDREN,
            {
                "topics": [child.topic for child in children],
                "keys": [child.key for child in children],
                "types": [child.type for child in children],
                "payloads": [orjson.dumps(child.payload).decode() for child in children],
                "places": [child.place for child in children],
                "everies": [child.every for child in children],
                "request": request_id,
                "head_start": float(HEAD_START),
                "step": STEP,
            },
        )


def fail(row: Row, error: BaseException, *, counts: bool = True) -> None:
    """Let the row wait for its next attempt, or park it after the last. `counts=False`: it was not the row's fault."""
    text = f"{type(error).__name__}: {error}".replace("\x00", "")[:LONGEST_ERROR]
    with connection.cursor() as cursor:
        cursor.execute(
            _FAIL,
            {"error": text, "counts": counts, "longest": LONGEST_BACK_OFF, "most": MAX_ATTEMPTS, "id": row.id},
        )


def park(ids: Sequence[str], reason: str) -> None:
    """Set rows aside for staff (see the admin); parked rows hold up nobody."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbox SET parked_at = statement_timestamp(), last_error = %s WHERE id = ANY(%s::uuid[])",
            [reason, list(ids)],
        )


def release(rows: Sequence[Row]) -> None:
    """Give leased rows back that could not be sent: they are due at once, and were not attempted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbox SET leased_until = statement_timestamp() WHERE id = ANY(%s::uuid[])",
            [[row.id for row in rows]],
        )
