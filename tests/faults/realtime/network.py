"""The processes of a site on one machine, to be killed: two socket servers, a `web`, a Valkey of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from recsys.services.embedded import EmbeddedServices
from recsys.services.processes import kill_group, spawn
from recsys.services.valkey import EmbeddedValkey
from tests.site import ROOT, free_port

ORIGIN = "https://site.example"
SERVERS = ("left", "right", "web")  # those that take connections; `web` hands its own over to `left`


class Network:
    """`servers` of SERVERS can be killed and started anew, and so can `valkey`, whose memory is then lost."""

    def __init__(self, directory: Path, valkey: EmbeddedValkey, env: Mapping[str, str]) -> None:
        self.directory = directory
        self.valkey = valkey
        self.env = env
        self.ports = {name: free_port() for name in SERVERS}
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start a server, or the `relay` or the `worker`; it may take seconds until it answers."""
        handover = ["--handover", str(self.directory / "handover.sock")]
        port = ["--port", str(self.ports[name])] if name in self.ports else []
        commands = {
            "left": ["sockets", *port, *handover],
            "right": ["sockets", *port],
            "web": ["web", *port, *handover],
            "relay": ["relay"],
            "worker": ["worker", "--concurrency", "1"],
        }
        database = f"{self.env['DATABASE_URL']}&application_name={name}"
        with self.log(name).open("ab") as output:
            command = [sys.executable, "manage.py", *commands[name]]
            env = {**self.env, "DATABASE_URL": database}
            self.running[name] = spawn(command, death_signal=signal.SIGKILL, env=env, cwd=ROOT, output=output)
        return self.running[name]

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def answers(self, name: str) -> bool:
        """Whether this server takes connections."""
        with socket.socket() as probe:
            probe.settimeout(1)
            return self.runs(name) and probe.connect_ex(("127.0.0.1", self.ports[name])) == 0

    def runs(self, name: str) -> bool:
        return self.running[name].poll() is None

    def kill(self, name: str) -> None:
        """End a process and its children at once."""
        kill_group(self.running[name])

    def end(self, name: str) -> tuple[int, float]:
        """Ask a process to stop, and wait for it: its status, and the seconds that it took."""
        began = time.monotonic()
        self.running[name].terminate()
        return self.running[name].wait(20), time.monotonic() - began

    def log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def faults(self) -> list[str]:
        """What the logs tell of errors in the program: whatever is killed, there are none."""
        return [
            f"{log.name}: {line}"
            for log in sorted(self.directory.glob("*.log"))
            for line in log.read_text(errors="replace").splitlines()
            if line.startswith("Traceback") or ('"level": "error"' in line and "channels_redis" not in line)
        ]


@contextmanager
def running_network(directory: Path, env: Mapping[str, str]) -> Iterator[Network]:
    """A Valkey, and a network whose processes are the caller's to start; all of them end with the block."""
    with EmbeddedServices(directory / "data", postgres=False) as services:
        (valkey,) = services.servers
        assert isinstance(valkey, EmbeddedValkey)
        paths = services.paths
        own = {
            "DJANGO_SETTINGS_MODULE": "tests.faults.realtime.settings",
            "TRIBUTARY_DATA_DIR": str(paths.data_dir),
            "REDIS_URL": paths.redis_url,
            "CELERY_BROKER_URL": paths.broker_url,
            "CSRF_TRUSTED_ORIGINS": ORIGIN,
            # All clients are of one address.
            "REALTIME_CONNECTIONS_PER_ADDRESS": "5000",
            "REALTIME_NEW_CONNECTIONS_PER_SECOND": "1000",
        }
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
        network = Network(directory, valkey, inherited | dict(env) | own)
        try:
            yield network
        finally:
            for process in network.running.values():
                kill_group(process)
