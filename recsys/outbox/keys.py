"""The outbox's keys in Valkey."""

from realtime.valkey import KeyPattern

WAKE = KeyPattern(
    template="outbox:wake",
    owner="recsys.outbox.wakeup",
    holds="list: one entry where a commit has captured changes since a relay last looked",
    bound="1 entry",
    ttl=60,
)
PACE = KeyPattern(
    template="outbox:pace:{topic}:{key}",
    owner="recsys.outbox.pacing",
    holds="that this state was published a moment ago: until this is gone, further changes wait",
    bound="one byte for each state that was published in the last seconds",
    ttl=60,
)
READ = KeyPattern(
    template="outbox:read:{topic}:{key}",
    owner="recsys.outbox.pacing",
    holds="who began last to read this state in order to publish it",
    bound="16 bytes for each state that was published in the last minute",
    ttl=60,
)
