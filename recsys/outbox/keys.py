"""The outbox's key in Valkey."""

from realtime.valkey import KeyPattern

WAKE = KeyPattern(
    template="outbox:wake",
    owner="recsys.outbox.wakeup",
    holds="list: one entry where a commit has captured changes since a relay last looked",
    bound="1 entry",
    ttl=60,
)
