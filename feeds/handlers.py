"""What follows from posts and follows."""

from __future__ import annotations

from collections.abc import Sequence

from feeds import fanout
from feeds.models import AuthorStats
from realtime import streams
from recsys.outbox.handlers import Child, Row, handler


@handler("feeds.post", batch=100)
def fan_out_posts(rows: Sequence[Row]) -> list[Child]:
    """Deliver new posts, and take deleted ones away. An edited post needs nothing: readers read its text from SQL."""
    new = sorted({int(row.key) for row in rows if row.type == "insert"})
    gone = [(int(row.key), row.payload["author_id"], row.payload["mode"]) for row in rows if row.type == "delete"]
    return fanout.deliver_posts(new) + fanout.withdraw_posts(gone)


@handler(fanout.CHUNK_TOPIC, queue="fanout", batch=1)
def fan_out_chunks(rows: Sequence[Row]) -> None:
    """One chunk of a large author's followers a message, so that the chunks spread over the workers."""
    for row in rows:
        fanout.run_chunk(row.type, row.payload)


@handler("feeds.follow")
def follow_changed(rows: Sequence[Row]) -> None:
    """Let the followers' connections listen to whom they follow now. Their windows notice the change when read.

    Readers who are not there have no stream and cost next to nothing, so that an import of follows is cheap.
    """
    edges = {(row.payload["follower_id"], row.payload["followee_id"]) for row in rows}
    followees = {followee for _, followee in edges}
    pulled = AuthorStats.objects.filter(pk__in=followees, has_pull_posts=True).values_list("pk", flat=True)
    positions = {author: streams.positions([fanout.author_stream(author)]) for author in pulled}
    streams.append(
        (fanout.user_stream(reader), fanout.resubscribe(positions.get(followee, "")))
        for reader, followee in sorted(edges)
    )


@handler("feeds.first_pull")
def author_became_pulled(rows: Sequence[Row]) -> list[Child]:
    return [child for row in rows for child in fanout.announce_pulled_author(int(row.key))]
