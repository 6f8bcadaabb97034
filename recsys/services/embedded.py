"""The embedded services of one data directory: its lock, its directories, PostgreSQL and Valkey."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Self

from recsys.services.account import Account, service_account
from recsys.services.binaries import reachable_binaries
from recsys.services.errors import ServiceError
from recsys.services.paths import ServicePaths
from recsys.services.postgres import EmbeddedPostgres
from recsys.services.valkey import EmbeddedValkey

LOG_LIMIT = 10 * 1024 * 1024  # bytes: a log that is longer at start is put aside as `.1`


class DataDirectory:
    """The data directory and its run directory, held by one process at a time."""

    def __init__(self, data_dir: Path) -> None:
        self.paths = ServicePaths(data_dir.resolve())
        self._lock: IO[str] | None = None
        self._run_dir_is_ours = False

    def acquire(self, account: Account) -> None:
        """Make the directories and take the lock; ServiceError where another process holds it."""
        try:
            self.paths.log_dir.mkdir(parents=True, exist_ok=True)
            # Others may pass through to what is theirs (PostgreSQL's account), and list nothing.
            self.paths.data_dir.chmod(0o711)
            lock = self.paths.lock_file.open("a+")
        except OSError as error:
            raise ServiceError(f"The data directory {self.paths.data_dir} cannot be used: {error}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            lock.close()
            raise ServiceError(
                f"{self.paths.data_dir} is already in use by {holder}. Stop that one, or choose another --data-dir."
            ) from error
        lock.truncate(0)
        lock.write(f"process {os.getpid()}")
        lock.flush()
        self._lock = lock
        self._make_run_dir(account)
        self._rotate_logs(self.paths.log_dir.glob("*.log"))

    def release(self) -> None:
        """Give the lock up and remove the sockets, as far as `acquire` came."""
        if self._run_dir_is_ours:
            shutil.rmtree(self.paths.run_dir, ignore_errors=True)
            self._run_dir_is_ours = False
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _make_run_dir(self, account: Account) -> None:
        """The name is known to everybody and /tmp is open to all, so look at whose directory it is before using it."""
        run_dir = self.paths.run_dir
        run_dir.mkdir(mode=0o700, exist_ok=True)
        info = run_dir.lstat()
        if not stat.S_ISDIR(info.st_mode) or info.st_uid not in account.owners or info.st_mode & 0o077:
            raise ServiceError(f"{run_dir} belongs to somebody else or is open to others; remove it and start again.")
        account.own(run_dir)
        self._run_dir_is_ours = True

    @staticmethod
    def _rotate_logs(logs: Iterable[Path]) -> None:
        for log in logs:
            if log.stat().st_size > LOG_LIMIT:
                log.replace(log.with_suffix(".log.1"))


class EmbeddedServices:
    """PostgreSQL and Valkey over one data directory, each only where asked for. Use as a context manager."""

    def __init__(self, data_dir: Path, *, postgres: bool = True, valkey: bool = True, durable: bool = True) -> None:
        self.directory = DataDirectory(data_dir)
        self.paths = self.directory.paths
        self._wanted = {"postgres": postgres, "valkey": valkey}
        self._durable = durable
        self.servers: list[EmbeddedPostgres | EmbeddedValkey] = []

    def start(self) -> None:
        """Take the data directory and start what is wanted; on a failure nothing is left running."""
        embedded = any(self._wanted.values())
        account = service_account() if embedded else Account()
        try:
            self.directory.acquire(account)
            if embedded:
                self._start_servers(account)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        for server in reversed(self.servers):
            server.stop()
        self.servers.clear()
        self.directory.release()

    def _start_servers(self, account: Account) -> None:
        binaries = reachable_binaries(account)
        if self._wanted["valkey"]:
            self.servers.append(EmbeddedValkey(self.paths, binaries.valkey, account))
        if self._wanted["postgres"]:
            self.servers.append(EmbeddedPostgres(self.paths, binaries.postgres, account, durable=self._durable))
        for server in self.servers:
            server.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
