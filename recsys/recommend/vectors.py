"""Vectors between numpy and PostgreSQL, and the partitions that hold those of one model version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from django.db import connection, models
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_LARGEST_HALF = 65504.0


def to_text(vector: Floats) -> str:
    """What a query parameter that is cast to halfvec looks like."""
    clipped = np.clip(vector, -_LARGEST_HALF, _LARGEST_HALF)
    return "[" + ",".join(f"{value:.6g}" for value in clipped.tolist()) + "]"


def from_sent(sent: Sequence[Any]) -> Floats:
    """The rows (n, d) that a query gave as halfvec_send(vector): two 16-bit words of header, then big-endian halves."""
    if not sent:
        return np.zeros((0, 0), dtype=np.float32)
    return np.stack([np.frombuffer(bytes(one), dtype=">f2", offset=4) for one in sent]).astype(np.float32)


def create_partition(model: type[models.Model], version: int, item_ids: NDArray[np.int64], vectors: Floats) -> None:
    """Store `vectors` (n, d) of the items `item_ids` (n,) as the partition of `version`, with its own HNSW index.

    Within the caller's transaction, at whose end it should be. Items that no longer exist are left out. Readers are not
    hindered: the table is filled and indexed apart, and attached last, which holds up writers of items until the
    commit.
    """
    table = model._meta.db_table
    part = f"{table}_v{version}"
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
        cursor.execute(f"DROP TABLE IF EXISTS {part}")
        cursor.execute(f"CREATE TABLE {part} (LIKE {table})")
        with cursor.copy(f"COPY {part} (item_id, model_version, vector) FROM STDIN") as copy:
            for item_id, vector in zip(item_ids.tolist(), vectors, strict=True):
                copy.write_row((item_id, version, to_text(vector)))
        cursor.execute(f"CREATE INDEX ON {part} USING hnsw (vector halfvec_ip_ops) WITH (m = 16, ef_construction = 64)")
        cursor.execute(f"ALTER TABLE {part} ADD PRIMARY KEY (item_id, model_version)")
        cursor.execute(f"ANALYZE {part}")
        # Attaching takes this lock anyway, and fails where an item was deleted since its vector was made.
        cursor.execute("LOCK TABLE catalog_item IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute(f"DELETE FROM {part} WHERE NOT EXISTS (SELECT 1 FROM catalog_item WHERE id = {part}.item_id)")  # noqa: S608
        cursor.execute(f"ALTER TABLE {table} ATTACH PARTITION {part} FOR VALUES IN (%s)", [version])


def drop_partitions(model: type[models.Model], keep: Sequence[int]) -> list[str]:
    """Drop the partitions of all versions but `keep`; return their names. Within the caller's transaction.

    OperationalError where readers hold it up: they are not made to wait, and the next training drops it.
    """
    table = model._meta.db_table
    kept = {f"{table}_v{version}" for version in keep}
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [table])
        old = sorted({name for (name,) in cursor.fetchall()} - kept)
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        for name in old:
            cursor.execute(f"DROP TABLE {name}")
    return old


def read_vectors(model: type[models.Model], version: int) -> tuple[NDArray[np.int64], Floats]:
    """All item ids (n,), sorted, and their vectors (n, d) of a version."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT item_id, halfvec_send(vector) FROM {table} WHERE model_version = %s ORDER BY item_id",  # noqa: S608
            [version],
        )
        rows = cursor.fetchall()
    return np.array([item_id for item_id, _ in rows], dtype=np.int64), from_sent([sent for _, sent in rows])
