"""The keys of `realtime`. Nothing else in the product spells them."""

from realtime.valkey import KeyPattern

HISTORY = 100  # entries a stream keeps
STREAM_TTL = 24 * 3600  # seconds since somebody last asked for the stream
PRESENCE_TTL = 30  # seconds for which a socket server counts as present without saying so again
MOST_PRESENT = 200_000  # streams with readers that are known all at once; of more, those that were seen last
ONLINE_TTL = 20  # seconds for which a user counts as online without being seen again
ONLINE_KEPT = 3600  # seconds for which it is known who has gone without its being told, where nobody is connected
MOST_ONLINE = 200_000  # users

STREAM = KeyPattern(
    template="realtime:stream:{name}",
    owner="realtime",
    holds="A stream's events, with ids <epoch in µs>-<offset>",
    bound=f"{HISTORY} entries",
    ttl=STREAM_TTL,
)
PRESENCE = KeyPattern(
    template="realtime:presence:{name}",
    owner="realtime",
    holds="Sorted set: socket server process → until when (seconds) it counts as having readers of the stream",
    bound="one entry a socket server process",
    ttl=PRESENCE_TTL,
)
PRESENT = KeyPattern(
    template="realtime:present",
    owner="realtime",
    holds="Sorted set: stream → until when (seconds) some socket server counts as having readers of it; a hint",
    bound=f"{MOST_PRESENT} streams",
    ttl=PRESENCE_TTL,
)
ONLINE = KeyPattern(
    template="realtime:online",
    owner="realtime",
    holds="Sorted set: user → until when (seconds) they count as online; those who let others see it",
    bound=f"{MOST_ONLINE} users",
    ttl=ONLINE_KEPT,
)
