"""A whole running site, `manage.py up` with real processes, for the flows and the fault tests."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from recsys.services.paths import ServicePaths

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT = 180.0  # seconds: a busy machine, a first start with migrations, demo data and training
STOP_TIMEOUT = 40.0


def wait_for(condition: Callable[[], Any], *, timeout: float = 30.0, interval: float = 0.05, what: str = "") -> Any:
    """Poll `condition` until it is truthy and return that; AssertionError with `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        if result := condition():
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {timeout:.0f} s: {what or condition}")
        time.sleep(interval)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Site:
    """`manage.py up` on a data directory of its own: start and stop it, run commands on it, find its processes.

    `demo` are the options of `manage.py up` that say what data it begins with.
    """

    def __init__(self, directory: Path, *demo: str, settings: str = "recsys.settings.dev") -> None:
        self.directory = directory
        self.run_dir = ServicePaths(directory).run_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.demo = demo
        self.log = directory.parent / f"{directory.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        dropped = ("PYTEST_", "DATABASE_URL", "REDIS_URL", "CELERY_", "DJANGO_SETTINGS_MODULE", "TRIBUTARY_")
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
        self.env |= {"TRIBUTARY_DATA_DIR": str(directory), "PYTHONWARNINGS": "default"}
        self.env["DJANGO_SETTINGS_MODULE"] = settings

    def start(self) -> None:
        command = [
            sys.executable,
            "manage.py",
            "up",
            "--data-dir",
            str(self.directory),
            "--port",
            str(self.port),
            *self.demo,
        ]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            wait_for(self.is_ready, timeout=START_TIMEOUT, interval=0.2, what="the site is ready")
        except AssertionError as error:
            raise AssertionError(f"{error}; its log:\n{self.tail()}") from error

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"`manage.py up` ended:\n{self.tail()}"
        try:
            return httpx.get(f"{self.url}/readyz", timeout=3).status_code == 200
        except httpx.TransportError:
            return False

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    def stop(self) -> int:
        """Stop it as Ctrl-C does and return its exit status; what it left running is an AssertionError."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        try:
            status = self.process.wait(STOP_TIMEOUT)
        finally:
            self.process.kill()
            left = self.pids()
            for pid in left:
                os.kill(pid, signal.SIGKILL)
        assert not left, f"left running: {left}\n{self.tail()}"
        return status

    def pids(self, *words: str) -> list[int]:
        """The site's processes (known by its data directory) whose command has all `words`."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                command = (entry / "cmdline").read_bytes()
                about = command + (entry / "environ").read_bytes()
                mine = any(str(place).encode() in about for place in (self.directory, self.run_dir))
                zombie = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
            except (OSError, IndexError):
                continue  # it ended while we looked
            if mine and not zombie and all(word.encode() in command for word in words):
                found.append(int(entry.name))
        return found

    def kill(self, *words: str, signum: int = signal.SIGKILL) -> list[int]:
        """Kill the processes whose command has all `words`; AssertionError where there are none."""
        pids = self.pids(*words)
        assert pids, f"no process with {words} is running"
        for pid in pids:
            try:
                os.kill(pid, signum)
            except ProcessLookupError:
                continue
        return pids

    def manage(self, *arguments: str, stdin: str | None = None) -> str:
        """Run a management command on the site and return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def asking(self, script: Path) -> Iterator[Callable[..., Any]]:
        """Call functions of a Python script that runs with the site's settings: `ask("function", "argument", …)`.

        One process answers all calls, as starting one costs seconds. The script serves them with `answer_calls`.
        """
        env = self.env | {"PYTHONPATH": str(ROOT)}
        with (
            self.log.open("ab") as output,
            subprocess.Popen(
                [sys.executable, str(script)],
                cwd=ROOT,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            ) as process,
        ):
            assert process.stdin is not None
            assert process.stdout is not None
            calls, answers = process.stdin, process.stdout

            def ask(*call: Any) -> Any:
                calls.write(json.dumps(call) + "\n")
                calls.flush()
                answer = answers.readline()
                assert answer, f"{script.name} {call}:\n{self.tail()}"
                return json.loads(answer)

            try:
                yield ask
            finally:
                process.kill()


def answer_calls(functions: dict[str, Callable[..., Any]]) -> None:
    """In a script that `Site.asking` runs: call what is asked for, and answer in JSON, until nobody asks any more."""
    from django.db import connection

    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(functions[name](*arguments)), flush=True)  # noqa: T201 (it is for `ask`)
        connection.close()  # the next call may come after the database was killed


@contextmanager
def running_site(directory: Path, *demo: str, settings: str = "recsys.settings.dev") -> Iterator[Site]:
    """A started site; it stops clean at the end, or that is an AssertionError."""
    site = Site(directory, *demo, settings=settings)
    try:
        site.start()
        yield site
    finally:
        if site.process is not None:
            assert site.stop() == 0
