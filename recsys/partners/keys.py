"""The Valkey keys of the partner API."""

from realtime.valkey import KeyPattern

BUCKET = KeyPattern(
    template="api:bucket:{client}",
    owner="recsys.partners.throttling",
    holds="what is left of a client's allowance of requests, and since when",
    bound="one hash of two fields for each active client",
    ttl=120,
)
