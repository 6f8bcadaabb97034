"""How much memory a process has taken."""

from __future__ import annotations

import resource
import sys


def peak_mb() -> float:
    """The most that this process has had in memory at once, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
