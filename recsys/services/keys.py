"""The Valkey keys of the process supervision."""

from realtime.valkey import KeyPattern

HEARTBEAT = KeyPattern(
    template="heartbeat:{process}",
    owner="recsys.services",
    holds="set of `host:pid` of one kind of process, scored by the time of the last sign of life",
    bound="one member for each process of the last minute",
    ttl=60,
)
