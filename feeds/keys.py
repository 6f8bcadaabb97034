"""Every Valkey key of the feeds. Only `timelines.py` uses them."""

from __future__ import annotations

from realtime.valkey import KeyPattern

WEEK = 7 * 24 * 3600

HOME = KeyPattern(
    template="timeline:home:{reader}",
    owner="feeds.timelines",
    holds="sorted set: ids of the pushed posts in a reader's home timeline, and the sentinel",
    bound="832 posts and the sentinel",
    ttl=WEEK,
)
AUTHOR = KeyPattern(
    template="timeline:author:{author}",
    owner="feeds.timelines",
    holds="sorted set: ids of an author's pulled posts, and the sentinel",
    bound="832 posts and the sentinel",
    ttl=WEEK,
)
