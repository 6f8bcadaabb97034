"""Signs of life: each long-running process says every few seconds that it runs, so that a missing one is noticed."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time

import redis

from realtime.valkey import get_client
from recsys.services.keys import HEARTBEAT

logger = logging.getLogger(__name__)

INTERVAL = 5.0  # seconds between signs
FRESH = 15.0  # seconds that a sign counts
PROCESSES = ("web", "sockets", "relay", "worker", "beat")


def start(process: str, stop: threading.Event | None = None) -> threading.Thread:
    """Give signs for `process`, one of PROCESSES, from a background thread until `stop` is set or the process ends."""
    if process not in PROCESSES:
        raise ValueError(f"Unknown process {process!r}; there are {', '.join(PROCESSES)}.")
    thread = threading.Thread(target=_beat, args=(process, stop or threading.Event()), name="heartbeat", daemon=True)
    thread.start()
    return thread


def _beat(process: str, stop: threading.Event) -> None:
    supervisor = os.environ.get("TRIBUTARY_SUPERVISOR")
    while not stop.is_set():
        if supervisor and os.getppid() != int(supervisor):
            # It was killed. On Linux the kernel has ended this process by now; elsewhere this is how it ends.
            os._exit(1)
        # Valkey may be away for a while; the next sign comes when it is back.
        with contextlib.suppress(redis.RedisError):
            give_sign(process)
        stop.wait(INTERVAL)


def give_sign(process: str) -> None:
    """Say once that this process runs as `process`, and forget those that have been silent for long."""
    key, now = HEARTBEAT.key(process=process), time.time()
    pipeline = get_client().pipeline(transaction=False)
    pipeline.zadd(key, {f"{socket.gethostname()}:{os.getpid()}": now})
    pipeline.zremrangebyscore(key, 0, now - (HEARTBEAT.ttl or 0))
    pipeline.expire(key, HEARTBEAT.ttl or 0)
    pipeline.execute()


def runs(client: redis.Redis, process: str, pid: int) -> bool:
    """Whether the process `pid` of this machine gave a sign lately; RedisError where Valkey is away."""
    sign = client.zscore(HEARTBEAT.key(process=process), f"{socket.gethostname()}:{pid}")
    return sign is not None and float(sign) > time.time() - FRESH


def alive(process: str) -> list[str]:
    """The `host:pid` of the processes of this kind that gave a sign lately; RedisError where Valkey is away."""
    members = get_client().zrangebyscore(HEARTBEAT.key(process=process), time.time() - FRESH, "+inf")
    return sorted(member.decode() for member in members if isinstance(member, bytes))
