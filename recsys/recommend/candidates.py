"""What sources are asked, what they answer, and the one definition of which items may be recommended at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from recsys.events.features import RecentItem
from recsys.events.heat import region_chain

# For a query that joins catalog_item as `item`. With the parameters of `Ask.parameters`.
ELIGIBLE = """item.is_available AND NOT item.is_withheld AND item.published_at <= statement_timestamp()
    AND (item.regions = '{}' OR item.regions && %(regions)s::varchar[])
    AND item.id <> ALL (%(excluded)s::bigint[])
    AND (item.creator_id IS NULL OR item.creator_id <> ALL (%(unwanted)s::bigint[]))
    AND (%(kind)s = '' OR item.kind = %(kind)s)"""

HNSW_EF_SEARCH = 100


@dataclass(frozen=True)
class Ask:
    """What a source is asked for: up to `limit` items for a reader with this past, in this region, of this kind.

    `recent` is newest first; `excluded` are the items that must not come (seen, hidden, on the page already),
    `unwanted` the people whose items must not, the reader among them (see `creators.py`); `kind` "" is any; `models`
    names the serving model version of each kind of model.
    """

    user_id: int | None
    region: str
    limit: int
    recent: tuple[RecentItem, ...] = ()
    excluded: frozenset[int] = frozenset()
    unwanted: frozenset[int] = frozenset()
    kind: str = ""
    models: dict[str, int] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of ELIGIBLE, and `limit`."""
        return {
            "regions": region_chain(self.region),
            "excluded": list(self.excluded),
            "unwanted": list(self.unwanted),
            "kind": self.kind,
            "limit": self.limit,
        }


@dataclass(frozen=True)
class Candidate:
    """An item that a source proposes. `score` > 0 compares within the source only; `anchor_id` is the item of the
    reader's past that carried most of it, `region` where it trends; each None where it does not apply.
    """

    item_id: int
    score: float
    anchor_id: int | None = None
    region: str | None = None


@contextmanager
def bounded(milliseconds: int) -> Iterator[None]:
    """A transaction in which no statement runs longer, and vector indexes go on until enough rows pass the filters."""
    nested = connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        before = _statement_timeout(cursor) if nested else ""
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true), "
            "set_config('hnsw.iterative_scan', 'relaxed_order', true), "
            "set_config('hnsw.ef_search', %s, true)",
            [str(milliseconds), str(HNSW_EF_SEARCH)],
        )
        yield
        if nested:  # the end of a transaction of our own undoes it by itself
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])


def _statement_timeout(cursor: CursorWrapper) -> str:
    cursor.execute("SELECT current_setting('statement_timeout')")
    return str(cursor.fetchone()[0])


def fetch(sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of one query."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()
