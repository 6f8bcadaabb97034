"""The embedded services: what they are like, and that they come and go whole."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from django.db import connection

from recsys.services.account import Account
from recsys.services.embedded import EmbeddedServices
from recsys.services.errors import ServiceError
from recsys.services.paths import ServicePaths
from recsys.services.postgres import TUNING
from recsys.services.processes import wait_until

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from pathlib import Path
from recsys.services.embedded import EmbeddedServices

with EmbeddedServices(Path(sys.argv[1]), durable=False):
    print("running", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A directory that PostgreSQL's account can reach, which pytest's own are not."""
    parent = Path(tempfile.mkdtemp(prefix="tributary-embedded-"))
    parent.chmod(0o711)
    yield parent / "data"
    shutil.rmtree(parent)


def hold(data_dir: Path, python: str = sys.executable, **options: int) -> subprocess.Popen[str]:
    """A process of its own that keeps the services running until its input ends."""
    holder = subprocess.Popen(
        [python, "-c", HOLD, str(data_dir)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(Path(psycopg.__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "running\n"
    return holder


def finish(holder: subprocess.Popen[str]) -> int:
    holder.communicate(timeout=30)
    return holder.returncode


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """The servers over this data directory: their commands name it or its sockets."""
    marks = (str(data_dir), str(ServicePaths(data_dir).run_dir))
    found = []
    for process in psutil.process_iter(["cmdline", "name"]):
        if process.info["name"] in ("postgres", "valkey-server"):
            command = " ".join(process.info["cmdline"] or [])
            if any(mark in command for mark in marks):
                found.append(process)
    return found


@pytest.mark.django_db
def test_postgresql_has_pgvector_and_byte_order_collation() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT '[1,2]'::vector <-> '[1,4]'::vector, current_setting('server_encoding'), 'Z' < 'a'")
        assert cursor.fetchone() == (2.0, "UTF8", True)


def test_valkey_keeps_nothing_on_disk_and_drops_only_what_expires(valkey: redis.Redis) -> None:
    config = valkey.config_get("save", "maxmemory-policy", "zset-max-listpack-entries", "databases")
    assert config == {
        "save": "",
        "maxmemory-policy": "volatile-lru",
        "zset-max-listpack-entries": "1024",
        "databases": "64",
    }


def test_nothing_listens_on_the_network_and_nobody_is_root() -> None:
    servers = processes_of(Path(os.environ["TRIBUTARY_TEST_DIR"]))
    assert {server.name() for server in servers} == {"postgres", "valkey-server"}
    for server in servers:
        assert server.uids().effective != 0
        assert not server.net_connections("inet")


def test_data_survives_a_restart(data_dir: Path) -> None:
    with EmbeddedServices(data_dir) as services, psycopg.connect(services.paths.database_url) as database:
        database.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert not processes_of(data_dir)
    assert not services.paths.run_dir.exists()
    with EmbeddedServices(data_dir) as services, psycopg.connect(services.paths.database_url) as database:
        assert database.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_second_start_on_the_same_directory_is_refused_and_disturbs_nothing(data_dir: Path) -> None:
    with EmbeddedServices(data_dir, durable=False) as services:
        with pytest.raises(ServiceError, match=rf"already in use by process {os.getpid()}"):
            EmbeddedServices(data_dir).start()
        psycopg.connect(services.paths.database_url).close()


@pytest.mark.fault
def test_nothing_outlives_a_killed_holder_and_the_next_one_starts_at_once(data_dir: Path) -> None:
    holder = hold(data_dir)
    first = processes_of(data_dir)
    assert first
    holder.kill()
    holder.communicate()
    with EmbeddedServices(data_dir, durable=False) as services:
        psycopg.connect(services.paths.database_url).close()
        assert not [process for process in first if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    holder = hold(data_dir)
    holder.kill()
    holder.communicate()
    assert wait_until(lambda: not processes_of(data_dir), timeout=10)


@pytest.mark.fault
def test_an_interrupted_creation_and_a_stale_pid_file_are_no_obstacle(data_dir: Path) -> None:
    for name in ("postgres", "postgres.new"):
        (data_dir / name / "base").mkdir(parents=True)
    with EmbeddedServices(data_dir, durable=False):
        pass
    # The number in a stale file may be any other process's by now.
    (data_dir / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n/elsewhere\n")
    with EmbeddedServices(data_dir, durable=False):
        assert processes_of(data_dir)


def test_data_of_another_postgresql_is_left_alone(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    (data_dir / "postgres" / "PG_VERSION").write_text("15\n")
    with pytest.raises(ServiceError, match="is of PostgreSQL 15"):
        EmbeddedServices(data_dir).start()
    assert not processes_of(data_dir)


def test_a_server_that_cannot_start_says_why(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TUNING, "work_mem", "a lot")
    with pytest.raises(ServiceError, match='invalid value for parameter "work_mem"'):
        EmbeddedServices(data_dir).start()
    assert not processes_of(data_dir)


def test_a_run_directory_of_somebody_else_is_not_used(data_dir: Path) -> None:
    run_dir = ServicePaths(data_dir).run_dir
    run_dir.mkdir(mode=0o777)
    run_dir.chmod(0o777)
    try:
        with pytest.raises(ServiceError, match="open to others"):
            EmbeddedServices(data_dir).start()
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)


def test_the_path_of_a_socket_stays_short_however_deep_the_data_lies() -> None:
    deep = Path("/srv") / ("x" * 200) / ("y" * 200)
    assert len(str(ServicePaths(deep).run_dir / ".s.PGSQL.5432")) < 100


@pytest.mark.skipif(os.geteuid() != 0, reason="the whole run is by an ordinary user already")
def test_an_ordinary_user_runs_them_under_its_own_name(data_dir: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    # This one may lie in root's home; a system's own of the same version reads the same packages.
    candidates = [sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"]
    account = Account(nobody.pw_uid, nobody.pw_gid)
    python = next((path for path in candidates if Path(path).exists() and account.can_run(Path(path), ROOT)), None)
    if python is None:
        pytest.skip(f"other users can run none of {', '.join(candidates)}")
    data_dir.mkdir()
    os.chown(data_dir, nobody.pw_uid, nobody.pw_gid)
    holder = hold(data_dir, python, user=nobody.pw_uid, group=nobody.pw_gid)
    assert {process.uids().real for process in processes_of(data_dir)} == {nobody.pw_uid}
    assert finish(holder) == 0
    assert not processes_of(data_dir)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another account")
def test_as_root_a_closed_parent_directory_stays_closed_and_the_cluster_moves(data_dir: Path) -> None:
    data_dir.parent.chmod(0o700)
    with EmbeddedServices(data_dir, durable=False) as services:
        psycopg.connect(services.paths.database_url).close()
    link = data_dir / "postgres"
    assert link.is_symlink()
    assert data_dir.parent.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(link.resolve().parent)
    with pytest.raises(ServiceError, match="Remove the link"):
        EmbeddedServices(data_dir, durable=False).start()


def test_an_interrupt_while_starting_leaves_nothing(data_dir: Path) -> None:
    class Interrupting(EmbeddedServices):
        def _start_servers(self, account: Account) -> None:
            super()._start_servers(account)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        Interrupting(data_dir, durable=False).start()
    assert not processes_of(data_dir)
    with EmbeddedServices(data_dir, durable=False):
        pass
