"""An embedded PostgreSQL 18 with pgvector, on a Unix socket alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psutil
import psycopg

from recsys.services.account import Account
from recsys.services.binaries import SHARED_DIR, make_shared_dir
from recsys.services.errors import ServiceError
from recsys.services.paths import ServicePaths
from recsys.services.processes import last_line, spawn, stop, wait_until

VERSION = "18"
START_TIMEOUT = 120.0  # seconds: recovery after a crash replays the log first
TUNING = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "log_min_messages": "warning",
    "timezone": "UTC",
}
# For tests: a power cut may take everything, so nothing waits for the disk.
EPHEMERAL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "autovacuum_naptime": "10min",
    # What is prepared is planned once: over tables with a few rows, planning anew each time looks worth it, and is not.
    "plan_cache_mode": "force_generic_plan",
}


class EmbeddedPostgres:
    """One server over `paths.postgres_dir`. `start` and `stop` may be repeated."""

    name = "postgres"

    def __init__(self, paths: ServicePaths, programs: Path, account: Account, *, durable: bool = True) -> None:
        self.paths = paths
        self.programs = programs
        self.account = account
        self.durable = durable
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Create the cluster if there is none, start the server, and return when it answers."""
        self._place_directory()
        self._end_leftover()
        version_file = self.paths.postgres_dir / "PG_VERSION"
        if not version_file.exists():
            self._create_cluster()
        elif (found := version_file.read_text().strip()) != VERSION:
            raise ServiceError(
                f"{self.paths.postgres_dir} is of PostgreSQL {found}, and the installed one is {VERSION}. Dump it with "
                "the former requirements, or choose another --data-dir."
            )
        with (self.paths.log_dir / "postgres.log").open("ab") as log:
            self.process = spawn(
                [self.programs / "postgres", "-D", self.paths.postgres_dir.resolve(), *self._options()],
                # SIGINT: shut down now, but leave a clean data directory. SIGQUIT: just end.
                death_signal=signal.SIGINT if self.durable else signal.SIGQUIT,
                user=self.account.uid,
                group=self.account.gid,
                output=log,
            )
        if not wait_until(self._answers, timeout=START_TIMEOUT):
            self.stop()
            raise ServiceError(f"PostgreSQL did not answer within {START_TIMEOUT:.0f} s; see {log.name}")
        self._create_database()

    def stop(self) -> None:
        """Close all connections and shut down cleanly."""
        if self.process is not None:
            stop(self.process, signal.SIGINT if self.durable else signal.SIGQUIT, signal.SIGQUIT, timeout=30)

    def _place_directory(self) -> None:
        """Where the service account cannot reach the data directory, keep the cluster elsewhere and link to it."""
        directory = self.paths.postgres_dir
        if not self.paths.data_dir.is_dir():
            raise ServiceError(f"The data directory {self.paths.data_dir} is gone.")
        if directory.is_symlink() or directory.exists():
            return
        if self.account.can_run(self.programs / "postgres", self.paths.data_dir):
            return
        make_shared_dir()
        elsewhere = Path(tempfile.mkdtemp(prefix="data-", dir=SHARED_DIR))
        elsewhere.chmod(0o711)
        directory.symlink_to(elsewhere / "postgres")

    def _create_cluster(self) -> None:
        """Run initdb beside the final place and rename, so that an interrupted one leaves nothing that looks whole."""
        final = Path(os.path.realpath(self.paths.postgres_dir))
        scratch = final.with_name("postgres.new")
        for stale in (scratch, final):
            shutil.rmtree(stale, ignore_errors=True)
        try:
            scratch.mkdir()
        except FileNotFoundError as error:
            raise ServiceError(
                f"{self.paths.postgres_dir} links to {final}, which is gone. "
                "Remove the link to begin with an empty database."
            ) from error
        self.account.own(scratch)
        command: list[str | Path] = [self.programs / "initdb", "-D", scratch, "-U", "tributary", "--auth=trust"]
        command += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-locale"]
        command += ["--no-instructions"] if self.durable else ["--no-instructions", "--no-sync"]
        result = subprocess.run(
            command,
            cwd="/",
            user=self.account.uid,
            group=self.account.gid,
            extra_groups=[] if self.account.uid is not None else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if result.returncode:
            raise ServiceError(f"initdb failed: {result.stderr.strip() or result.stdout.strip()}")
        scratch.rename(final)

    def _end_leftover(self) -> None:
        """End a server that an earlier, killed supervisor left over this directory (it may still be shutting down).

        Whoever calls this holds the data directory's lock, so a pid file that names any other process is stale.
        """
        pid_file = self.paths.postgres_dir / "postmaster.pid"
        try:
            leftover = psutil.Process(int(pid_file.read_text().split("\n", 1)[0]))
            ours = leftover.name() == "postgres" and str(self.paths.postgres_dir.resolve()) in leftover.cmdline()
        except PermissionError as error:
            raise ServiceError(
                f"{self.paths.postgres_dir} is another user's. Run this as that user, or choose another --data-dir."
            ) from error
        except FileNotFoundError:
            return
        except (ValueError, psutil.Error):
            ours = False
        if ours:
            _end(leftover)
        pid_file.unlink(missing_ok=True)

    def _options(self) -> list[str]:
        settings = {
            **TUNING,
            **({} if self.durable else EPHEMERAL),
            "listen_addresses": "",
            "unix_socket_directories": str(self.paths.run_dir),
            "unix_socket_permissions": "0700",
            "dynamic_shared_memory_type": _shared_memory_type(),
        }
        return [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise ServiceError(
                f"PostgreSQL ended at once with exit code {self.process.returncode}. "
                f"{last_line(self.paths.log_dir / 'postgres.log')}"
            )
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.paths.postgres_url("postgres"), autocommit=True, connect_timeout=5)

    def _create_database(self) -> None:
        with self._connect() as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'tributary'").fetchone():
                connection.execute("CREATE DATABASE tributary")


def _end(process: psutil.Process) -> None:
    for signum in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        try:
            process.send_signal(signum)
            process.wait(20)
        except psutil.TimeoutExpired:
            continue
        except psutil.NoSuchProcess:
            pass
        return


def _shared_memory_type() -> str:
    """Containers often have 64 MB of /dev/shm, too little for building an index in parallel; files know no limit."""
    try:
        stats = os.statvfs("/dev/shm")  # noqa: S108
    except OSError:
        return "posix"
    return "posix" if stats.f_frsize * stats.f_blocks >= 512 * 1024 * 1024 else "mmap"
