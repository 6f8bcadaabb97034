"""The key of live dashboards in Valkey."""

from realtime.valkey import KeyPattern

MOST_DASHBOARDS = 5000

DASHBOARDS = KeyPattern(
    template="recommend:dashboards",
    owner="recsys.recommend.dashboards",
    holds="sorted set: stream of a region → when somebody last asked for the position of what trends there",
    bound=f"{MOST_DASHBOARDS} regions",
    ttl=24 * 3600,
)
