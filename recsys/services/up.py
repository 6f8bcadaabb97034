"""`manage.py up`: the whole product on one machine.

This process loads no Django: it starts the services and the commands of the product, and looks after them.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import redis
from django.core.management.base import CommandError

from recsys.services import heartbeat
from recsys.services.commands import open_listener, port_number, positive
from recsys.services.embedded import EmbeddedServices
from recsys.services.errors import ServiceError
from recsys.services.paths import ServicePaths
from recsys.services.processes import spawn, stop
from recsys.services.supervisor import Child, Supervisor

MANAGE = Path(__file__).resolve().parent.parent.parent / "manage.py"
HEALTH_TIMEOUT = 120.0  # seconds until a process that does not answer is named
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(os.environ.get("TRIBUTARY_DATA_DIR", ".data")),
        help="directory of the database, the secret key and the logs (%(default)s)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s; 0.0.0.0 for all)")
    parser.add_argument("--port", type=port_number, default=8000, help="TCP port to listen on (%(default)s)")
    parser.add_argument("--concurrency", type=positive, default=2, help="worker processes (%(default)s)")
    demo = parser.add_argument_group("demo data, loaded where the database holds no users and no items")
    for name in ("users", "items", "interactions"):
        demo.add_argument(f"--{name}", type=positive, help=f"how many {name} to make up")
    demo.add_argument("--no-demo", action="store_true", help="begin empty")


def main(arguments: Sequence[str]) -> int:
    """Run until a signal asks to stop; the exit status."""
    parser = argparse.ArgumentParser(prog="manage.py up", description="Run the whole product on this machine.")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        return run(options)
    except (ServiceError, CommandError) as error:
        sys.stderr.write(f"manage.py up: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("manage.py up: interrupted while starting; everything is stopped\n")
        return 130


def run(options: argparse.Namespace) -> int:
    """Start everything, look after it, stop everything. ServiceError or CommandError where it cannot start."""
    for signum in SIGNALS:
        signal.signal(signum, signal.default_int_handler)
    listener = open_listener(options.host, options.port)
    services = EmbeddedServices(
        options.data_dir, postgres="DATABASE_URL" not in os.environ, valkey="REDIS_URL" not in os.environ
    )
    env = child_environment(options, services.paths)
    with listener, services:
        shutil.rmtree(services.paths.metrics_dir, ignore_errors=True)
        services.paths.metrics_dir.mkdir()
        prepare(options, services.paths, env)
        supervisor = Supervisor(children(options, services.paths, listener), services.servers, env)
        with stopping_on_signals(supervisor):
            try:
                supervisor.start()
                greet(options, supervisor, services.paths)
                while not supervisor.stopping.is_set():
                    supervisor.tick()
            finally:
                supervisor.say("stopping")
                supervisor.stop()
    supervisor.say("stopped")
    return 0


def child_environment(options: argparse.Namespace, paths: ServicePaths) -> dict[str, str]:
    """What the processes need to find one another, and the site to know its own address."""
    return {
        "DJANGO_SETTINGS_MODULE": "recsys.settings.dev",
        "PYTHONUNBUFFERED": "1",
        "ALLOWED_HOSTS": ",".join(dict.fromkeys(["localhost", "127.0.0.1", "[::1]", options.host])),
        "PROMETHEUS_MULTIPROC_DIR": str(paths.metrics_dir),
        **os.environ,
        "TRIBUTARY_DATA_DIR": str(paths.data_dir),
        "TRIBUTARY_SUPERVISOR": str(os.getpid()),
    }


def prepare(options: argparse.Namespace, paths: ServicePaths, env: dict[str, str]) -> None:
    """Bring the database up to date and load the demo, with its progress bar on this terminal."""
    command: list[str | Path] = [sys.executable, MANAGE, "prepare", f"--welcome={paths.welcome_file}"]
    if not options.no_demo:
        command.append("--demo")
        sizes = ((name, getattr(options, name)) for name in ("users", "items", "interactions"))
        command += [f"--{name}={size}" for name, size in sizes if size is not None]
    process = spawn(command, death_signal=signal.SIGKILL, env=env)
    try:
        status = process.wait()
    except KeyboardInterrupt:
        stop(process, signal.SIGTERM, timeout=5)
        raise
    if status:
        raise ServiceError(f"the database could not be prepared (exit status {status}); the lines above say why")


def children(options: argparse.Namespace, paths: ServicePaths, listener: socket.socket) -> list[Child]:
    """The processes of the product, in the order of their start; they stop in reverse."""
    handover = f"--handover={paths.handover_socket}"
    fd = listener.fileno()
    command: list[str | Path] = [sys.executable, MANAGE]
    return [
        Child("relay", [*command, "relay"]),
        Child("worker", [*command, "worker", f"--concurrency={options.concurrency}"], stop_timeout=20),
        Child("beat", [*command, "beat"]),
        Child("sockets", [*command, "sockets", handover]),
        # The listening socket stays open here, so that a restart of `web` refuses no connection.
        Child("web", [*command, "web", f"--fd={fd}", handover], pass_fds=[fd]),
    ]


@contextlib.contextmanager
def stopping_on_signals(supervisor: Supervisor) -> Iterator[None]:
    """The first signal asks to stop in order, another one ends the children at once."""

    def handle(*_: Any) -> None:
        if supervisor.stopping.is_set():
            supervisor.kill()
        supervisor.stopping.set()

    before = {signum: signal.signal(signum, handle) for signum in SIGNALS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def greet(options: argparse.Namespace, supervisor: Supervisor, paths: ServicePaths) -> None:
    """Wait until everything works, then say where; where something does not, say what."""
    address = f"http://{_reachable(options.host).replace('127.0.0.1', 'localhost')}:{options.port}"
    deadline = time.monotonic() + HEALTH_TIMEOUT
    while missing := unhealthy(supervisor, paths, options):
        if supervisor.stopping.is_set():
            return
        if time.monotonic() > deadline:
            supervisor.say(f"still waiting for {', '.join(missing)} after {HEALTH_TIMEOUT:.0f} s; see above for errors")
            deadline = time.monotonic() + HEALTH_TIMEOUT
        supervisor.tick()
    supervisor.say(f"ready: {address}")
    for line in paths.welcome_file.read_text().splitlines() if paths.welcome_file.exists() else ():
        supervisor.say(line)
    if options.host in EVERYWHERE and "ALLOWED_HOSTS" not in os.environ:
        supervisor.say("other machines are refused until ALLOWED_HOSTS names the host that they use")
    supervisor.say("Ctrl-C stops everything")


def unhealthy(supervisor: Supervisor, paths: ServicePaths, options: argparse.Namespace) -> list[str]:
    """The names of what does not work yet."""
    with redis.Redis.from_url(os.environ.get("REDIS_URL") or paths.redis_url, socket_timeout=2) as client:
        try:
            missing = [
                child.name
                for child in supervisor.children
                if child.process is None or not heartbeat.runs(client, child.name, child.process.pid)
            ]
        except redis.RedisError:
            return ["valkey"]
    return missing or ([] if answers(options) else ["readyz"])


def answers(options: argparse.Namespace) -> bool:
    """Whether the site says of itself that it is ready. Asked directly, whatever proxy the environment names."""
    host = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".*") or "localhost"
    connection = http.client.HTTPConnection(_reachable(options.host).strip("[]"), options.port, timeout=5)
    try:
        connection.request("GET", "/readyz", headers={"Host": host})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _reachable(host: str) -> str:
    """The host as this machine's own browser writes it."""
    host = EVERYWHERE.get(host, host)
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
