"""Every Valkey key of the feeds, each used by its owner alone."""

from __future__ import annotations

from realtime.valkey import KeyPattern

WEEK = 7 * 24 * 3600
WINDOW_BYTES = 21 * 1024  # a full window where Valkey packs it (zset-max-listpack-entries 1024); unpacked, it has 60 kB

HOME = KeyPattern(
    template="timeline:home:{reader}",
    owner="feeds.timelines",
    holds="sorted set: ids of the pushed posts in a reader's home timeline, and the sentinel",
    bound="832 posts and the sentinel",
    ttl=WEEK,
    most_bytes=WINDOW_BYTES,
)
AUTHOR = KeyPattern(
    template="timeline:author:{author}",
    owner="feeds.timelines",
    holds="sorted set: ids of an author's pulled posts, and the sentinel",
    bound="832 posts and the sentinel",
    ttl=WEEK,
    most_bytes=WINDOW_BYTES,
)
VERSION = KeyPattern(
    template="timeline:version:{author}",
    owner="feeds.timelines",
    holds="string: a random word, another one after each change of the author's list",
    bound="one word for each pulled author who is read",
    ttl=WEEK,
)
AUDIT = KeyPattern(
    template="audit:timelines",
    owner="feeds.audit_runs",
    holds="JSON: when a sample of timelines was last audited, what was found, and where the next one begins",
    bound="1 text",
    ttl=24 * 3600,
)
ALIVE = KeyPattern(
    template="timeline:alive",
    owner="feeds.timelines",
    holds="string: there is none where Valkey has lost its memory since windows were last rebuilt",
    bound="one",
    ttl=WEEK,
)
