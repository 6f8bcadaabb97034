"""Start `make run`, look at what it serves, stop it, and see that nothing is left. Needs the standard library alone."""

# ruff: noqa: T201, S103

from __future__ import annotations

import base64
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT = 900.0  # seconds, most of them for pip
STOP_TIMEOUT = 60.0
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main() -> int:
    # Directly under /tmp and open for passing through, as PostgreSQL's account must reach it when this runs as root.
    with tempfile.TemporaryDirectory(prefix="tributary-ci-") as directory:
        os.chmod(directory, 0o711)
        return check(Path(directory) / "data", Path(directory) / "log")


def check(data: Path, log: Path) -> int:
    port = free_port()
    size = "--users 100 --items 150 --interactions 3000"
    dropped = ("DATABASE_URL", "REDIS_URL", "CELERY_", "DJANGO_SETTINGS_MODULE", "TRIBUTARY_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    env["TRIBUTARY_DATA_DIR"] = str(data)  # by which its processes are recognised
    began = time.monotonic()
    with log.open("wb") as output:
        make = subprocess.Popen(
            ["make", "run", f"ARGS=--port {port} {size}"], cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT
        )
    failures = []
    try:
        if (
            wait(lambda: make.poll() is not None or fetch(port, "/readyz")[0] == 200, START_TIMEOUT)
            and make.poll() is None
        ):
            print(f"make run: ready after {time.monotonic() - began:.0f} s")
            failures = look(port)
        else:
            failures.append(f"it did not become ready (exit status {make.poll()})")
    finally:
        make.send_signal(signal.SIGTERM)
        if not wait(lambda: make.poll() is not None, STOP_TIMEOUT):
            failures.append(f"it did not stop within {STOP_TIMEOUT:.0f} s of SIGTERM")
            make.kill()
        for pid, command in left_running(data):
            failures.append(f"left running: {pid} {command}")
            os.kill(pid, signal.SIGKILL)
    if failures:
        print(log.read_text(errors="replace")[-6000:])
    for failure in failures:
        print(f"make run: FAILED: {failure}")
    if not failures:
        print("make run: serves pages, REST and sockets on one port, and stopped clean")
    return 1 if failures else 0


def look(port: int) -> list[str]:
    """What is wrong with what is served."""
    failures = []
    for path, wanted, kind in (
        ("/", 200, "text/html"),
        ("/healthz", 200, ""),
        ("/api/schema/", 200, ""),
        ("/api/v1/items/none-such/similar", 401, "application/problem+json"),
    ):
        status, content_type, body = fetch(port, path)
        if status != wanted or kind not in content_type:
            failures.append(f"GET {path}: {status} {content_type}, not {wanted} {kind}: {body[:300]!r}")
    answer = handshake(port)
    if not answer.startswith("HTTP/1.1 101"):
        failures.append(f"WebSocket handshake: {answer!r}")
    return failures


def fetch(port: int, path: str) -> tuple[int, str, bytes]:
    """Status, content type and body; status 0 where nobody answers."""
    try:
        with OPENER.open(f"http://localhost:{port}{path}", timeout=10) as response:
            return response.status, response.headers.get("Content-Type", ""), response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Content-Type", ""), error.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, "", str(error).encode()


def handshake(port: int) -> str:
    """The status line with which a WebSocket handshake is answered."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = ["GET /realtime/ws HTTP/1.1", f"Host: localhost:{port}", f"Origin: http://localhost:{port}"]
    lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
    try:
        with socket.create_connection(("localhost", port), timeout=10) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            return connection.recv(4096).decode(errors="replace").split("\r\n", 1)[0]
    except OSError as error:
        return str(error)


def left_running(data: Path) -> list[tuple[int, str]]:
    """The processes that carry the data directory in their environment or command."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            if command and str(data).encode() in command + (entry / "environ").read_bytes():
                found.append((int(entry.name), command.replace(b"\0", b" ").decode(errors="replace")))
        except OSError:
            continue  # it ended while we looked
    return found


def wait(condition: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.25)
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
