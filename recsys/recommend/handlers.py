"""What follows from a change of an item or a model, and from what people did."""

from __future__ import annotations

from collections.abc import Sequence

from realtime import streams
from realtime.news import RESUBSCRIBE
from recsys.catalog.counts import publish_counts, stream_of
from recsys.catalog.selectors import without_posts
from recsys.events.handlers import RECORDED
from recsys.outbox.handlers import Child, Row, handler
from recsys.recommend import dashboards, news
from recsys.recommend.embedding import do_embed_items

CHANGED = "catalog.changed"
LIVE = "celery.live"


@handler("catalog.item", effect="transaction")
def embed_items(rows: Sequence[Row]) -> list[Child]:
    """Place new and changed items in the content space. The vector of a deleted one went with it, by cascade.

    One child for all that were changed or deleted goes on outside of the transaction.
    """
    changed = {int(row.key) for row in rows if row.type != "delete"}
    if changed:
        do_embed_items(item_ids=changed)
    known = sorted({int(row.key) for row in rows if row.type != "insert"})
    return [Child(CHANGED, str(len(known)), "batch", {"items": known})] if known else []


@handler(CHANGED)
def tell_of_items(rows: Sequence[Row]) -> list[Child]:
    """Take what is not for everybody any more from the pages that show it, and ask anew who may follow it."""
    items = {item for row in rows for item in row.payload["items"]}
    withdrawn = news.withdrawn_among(items)
    news.retract_from_everybody(withdrawn)
    streams.append((stream_of(item), {"type": RESUBSCRIBE}) for item in sorted(withdrawn))
    return dashboards.changed()


@handler(RECORDED)
def tell_of_events(rows: Sequence[Row]) -> list[Child]:
    """Tell those who look on what has changed by what people did."""
    items = {item for row in rows for item in row.payload["items"]}
    watched = streams.existing([stream_of(item) for item in items])
    counted = publish_counts(without_posts({item for item in items if stream_of(item) in watched}))
    return [*counted, *dashboards.changed(), *news.tell_of_events(rows)]


@handler("recommend.model", batch=1)
def tell_of_models(rows: Sequence[Row]) -> list[Child]:
    """Let those who look on learn what a newly promoted model has for them."""
    return news.tell_of_model()


@handler(dashboards.TOPIC, queue=LIVE, batch=20, waiting=4)
def rank_dashboards(rows: Sequence[Row]) -> list[Child]:
    return dashboards.publish_dashboards(rows)


@handler(news.TOPIC, queue=LIVE, batch=20, waiting=4)
def find_news(rows: Sequence[Row]) -> list[Child]:
    return news.publish_news(rows)
