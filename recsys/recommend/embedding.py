"""Content vectors of items, by the text model that serves."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from ml.interactions import Ids
from recsys.catalog.models import Item
from recsys.recommend.serving import CONTENT, serving_versions, text_model
from recsys.recommend.vectors import to_text

_LOCK = 7_303_001

# In the order of the key, so that two handlers cannot deadlock; joined, because an item may be deleted meanwhile.
_UPSERT = """
INSERT INTO catalog_contentvector AS known (item_id, model_version, vector)
SELECT item.id, %s, placed.vector::halfvec
FROM unnest(%s::bigint[], %s::text[]) AS placed (item_id, vector) JOIN catalog_item item ON item.id = placed.item_id
ORDER BY item.id
ON CONFLICT (item_id, model_version) DO UPDATE SET vector = excluded.vector
"""
_FIELDS = ("pk", "title", "description", "category", "tags")


def lock_content(cursor: CursorWrapper, *, exclusive: bool) -> None:
    """Until the end of the transaction: a training that promotes its model excludes whoever places items by the old
    one.
    """
    cursor.execute(f"SELECT pg_advisory_xact_lock{'' if exclusive else '_shared'}(%s)", [_LOCK])


def read_texts(item_ids: Collection[int] | None = None) -> tuple[Ids, list[str]]:
    """The ids and the words of all items, or of those of `item_ids` that exist; by id."""
    items = Item.objects.order_by("pk").values_list(*_FIELDS)
    rows = items.iterator(chunk_size=5000) if item_ids is None else items.filter(pk__in=item_ids)
    ids, texts = [], []
    for pk, *fields in rows:
        ids.append(pk)
        texts.append(describe(*fields))
    return np.array(ids, dtype=np.int64), texts


def describe(title: str, description: str, category: str, tags: Iterable[str]) -> str:
    """What a text model reads of an item. The title counts twice: it is short and says most."""
    return "\n".join([title, title, category, " ".join(tags), description])


@transaction.atomic
def do_embed_items(*, item_ids: Collection[int]) -> int:
    """Place the items anew by the serving text model; return how many it could place. Without a model, none: its first
    training places them all."""
    with connection.cursor() as cursor:
        lock_content(cursor, exclusive=False)
        version = serving_versions().get(CONTENT)
        if version is None:
            return 0
        found, texts = read_texts(item_ids)
        vectors = text_model(version).encode(texts)
        known = np.abs(vectors).max(axis=1, initial=0) > 0
        cursor.execute(
            "DELETE FROM catalog_contentvector WHERE model_version = %s AND item_id = ANY (%s)",
            [version, found[~known].tolist()],
        )
        cursor.execute(_UPSERT, [version, found[known].tolist(), [to_text(vector) for vector in vectors[known]]])
        return int(known.sum())
