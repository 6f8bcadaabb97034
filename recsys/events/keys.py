"""The Valkey keys of the browser's events."""

from realtime.valkey import KeyPattern

RATE = KeyPattern(
    template="events:rate:{what}:{user_id}:{minute}",
    owner="recsys.events.limits",
    holds="how many events, or acts of another kind, a signed-in user's browser sent in that minute",
    bound="one number for each active user and kind",
    ttl=120,
)
