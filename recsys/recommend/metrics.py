"""What Prometheus is told about serving."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)

slates = Counter("tributary_slates_total", "Slates served, by their main source.", ["surface", "main_source"])
left_out = Counter(
    "tributary_sources_left_out_total", "Sources that had to be left out of a slate.", ["source", "reason"]
)
slate_seconds = Histogram("tributary_slate_seconds", "Time to make a slate.", ["surface"], buckets=_BUCKETS)
source_seconds = Histogram("tributary_source_seconds", "Time of one source.", ["source"], buckets=_BUCKETS)
