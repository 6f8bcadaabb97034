"""What the partner API counts, beside the requests that the server counts for every view."""

from prometheus_client import Counter

THROTTLED = Counter("tributary_api_throttled", "Requests refused because their client's allowance was spent.")
THROTTLE_FALLBACKS = Counter(
    "tributary_api_throttle_fallbacks", "Requests counted within one process, because Valkey did not answer."
)
