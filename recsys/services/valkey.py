"""An embedded Valkey on a Unix socket alone, holding nothing that cannot be rebuilt."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from recsys.services.account import Account
from recsys.services.errors import ServiceError
from recsys.services.paths import ServicePaths
from recsys.services.processes import last_line, spawn, stop, wait_until

DATABASES = 64
SETTINGS = {
    "port": "0",
    "databases": str(DATABASES),
    "save": "",  # durable things are in PostgreSQL
    "appendonly": "no",
    # Keys that expire are caches and make room when memory is short; the broker's queues do not expire and stay.
    "maxmemory-policy": "volatile-lru",
    "zset-max-listpack-entries": "1024",  # a timeline of 800 ids: 16 kB instead of 60
    "maxclients": "4096",
    "unixsocketperm": "700",
    "loglevel": "warning",
    "daemonize": "no",
}


class EmbeddedValkey:
    """One server on `paths.valkey_socket`. `start` and `stop` may be repeated; what it held is gone each time."""

    name = "valkey"

    def __init__(self, paths: ServicePaths, program: Path, account: Account) -> None:
        self.paths = paths
        self.program = program
        self.account = account
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and return when it answers."""
        self._end_leftover()
        settings = {
            **SETTINGS,
            "unixsocket": str(self.paths.valkey_socket),
            "dir": str(self.paths.run_dir),
            "maxmemory": os.environ.get("TRIBUTARY_VALKEY_MEMORY", "512mb"),
        }
        with (self.paths.log_dir / "valkey.log").open("ab") as log:
            self.process = spawn(
                [self.program, *(argument for name, value in settings.items() for argument in (f"--{name}", value))],
                death_signal=signal.SIGKILL,
                user=self.account.uid,
                group=self.account.gid,
                output=log,
            )
        if not wait_until(self._answers, timeout=20):
            self.stop()
            raise ServiceError(f"Valkey did not answer within 20 s; see {log.name}")

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process, signal.SIGTERM, timeout=10)

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise ServiceError(
                f"Valkey ended at once with exit code {self.process.returncode}. "
                f"{last_line(self.paths.log_dir / 'valkey.log')}"
            )
        with (
            redis.Redis.from_url(self.paths.redis_url, socket_timeout=1) as client,
            contextlib.suppress(redis.RedisError),
        ):
            return bool(client.ping())
        return False

    def _end_leftover(self) -> None:
        """End a server that an earlier, killed supervisor left on this socket, and remove the socket's file."""
        client = redis.Redis.from_url(self.paths.redis_url, socket_timeout=5, retry=Retry(NoBackoff(), 0))
        with client, contextlib.suppress(redis.RedisError):  # most often nobody answers
            client.shutdown(nosave=True, force=True)
        self.paths.valkey_socket.unlink(missing_ok=True)
