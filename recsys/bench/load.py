"""CPU that others used while a bench ran: on a shared machine the reason for most surprises."""

from __future__ import annotations

import os
import time

import psutil

# The process that started the bench's services, where that is another one.
ROOT_VARIABLE = "TRIBUTARY_BENCH_ROOT"


class ForeignLoad:
    """Measures from its construction on. The bench's own processes are those below its root process."""

    def __init__(self) -> None:
        self._root = int(os.environ.get(ROOT_VARIABLE) or os.getpid())
        self._began = time.monotonic()
        self._busy, self._own = _busy_seconds(), tree_seconds(self._root)

    def cores(self) -> float:
        """How many cores others kept busy on average."""
        seconds = time.monotonic() - self._began
        foreign = (_busy_seconds() - self._busy) - (tree_seconds(self._root) - self._own)
        return max(0.0, round(foreign / seconds, 2)) if seconds else 0.0


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def tree_seconds(root: int) -> float:
    """CPU seconds of a process, its descendants, and those of them that have ended."""
    total = 0.0
    process = psutil.Process(root)
    for member in [process, *process.children(recursive=True)]:
        try:
            total += sum(member.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total
