"""Keep a set of child processes running: start, restart with back-off, stop in order."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol, TextIO

from recsys.services.processes import kill_group, spawn

TICK = 0.1  # seconds between looks at the children
FIRST_PAUSE = 0.5  # seconds before a dead child is started again, doubled each time
LONGEST_PAUSE = 30.0
STEADY = 30.0  # seconds that a child runs before its next death counts as its first


class Server(Protocol):
    """An embedded service as the supervisor sees it."""

    name: str
    process: subprocess.Popen[bytes] | None

    def start(self) -> None: ...


@dataclass
class Child:
    """One process of the product. `stop_timeout` is how many seconds it has to finish its work after SIGTERM."""

    name: str
    command: Sequence[str | Path]
    pass_fds: Sequence[int] = ()
    stop_timeout: float = 15.0
    process: subprocess.Popen[bytes] | None = None
    reader: threading.Thread | None = None


@dataclass
class BackOff:
    """When something that died may be started again."""

    pause: float = FIRST_PAUSE
    started_at: float = field(default_factory=time.monotonic)
    due_at: float | None = None

    def died(self) -> float:
        """Note the death and return the pause before the next start, in seconds."""
        if time.monotonic() - self.started_at > STEADY:
            self.pause = FIRST_PAUSE
        pause, self.pause = self.pause, min(self.pause * 2, LONGEST_PAUSE)
        self.due_at = time.monotonic() + pause
        return pause

    def is_due(self) -> bool:
        return self.due_at is not None and time.monotonic() >= self.due_at

    def started(self) -> None:
        self.started_at, self.due_at = time.monotonic(), None


class Supervisor:
    """Runs `children` (started in order, stopped in reverse) and restarts `servers`, which the caller has started.

    All of it happens in the main thread, to which the kernel ties the life of the processes.
    """

    def __init__(
        self, children: Sequence[Child], servers: Sequence[Server], env: Mapping[str, str], output: TextIO = sys.stdout
    ) -> None:
        self.children = children
        self.servers = servers
        self.env = env
        self.output = output
        self.stopping = threading.Event()
        self._write_lock = threading.Lock()
        self._back_offs: dict[str, BackOff] = {}

    def start(self) -> None:
        for child in self.children:
            self._spawn(child)

    def tick(self) -> None:
        """Look after everything once, then wait a moment (less where a signal asks to stop)."""
        for server in self.servers:
            if self._is_due(server.name, server.process):
                self._restart_server(server)
        for child in self.children:
            if self._is_due(child.name, child.process):
                self._spawn(child)
        self.stopping.wait(TICK)

    def stop(self) -> None:
        """Ask every child to finish, give each its time, and end what is left."""
        for child in reversed(self.children):
            if child.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    child.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        for child in reversed(self.children):
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.0, began + child.stop_timeout - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"{child.name} did not stop within {child.stop_timeout:.0f} s and is killed")
            kill_group(child.process)
            if child.reader is not None:
                child.reader.join(2)

    def kill(self) -> None:
        """End every child at once."""
        for child in self.children:
            if child.process is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(child.process.pid, signal.SIGKILL)

    def say(self, text: str) -> None:
        self._write("up", text)

    def _is_due(self, name: str, process: subprocess.Popen[bytes] | None) -> bool:
        """Whether it is dead and its pause is over; the first look at a death starts the pause."""
        if process is None or process.poll() is None:
            return False
        back_off = self._back_offs.setdefault(name, BackOff())
        if back_off.due_at is None:
            kill_group(process)
            pause = back_off.died()
            self.say(f"{name} ended with {_status(process.returncode)}; starting it again in {pause:.1f} s")
        return back_off.is_due()

    def _restart_server(self, server: Server) -> None:
        self._back_offs[server.name].started()
        try:
            server.start()
        except Exception as error:
            # The next tick finds it dead and pauses for longer.
            self.say(str(error))

    def _spawn(self, child: Child) -> None:
        self._back_offs.setdefault(child.name, BackOff()).started()
        child.process = spawn(
            child.command,
            # Nothing they do is lost by killing them, and the services that they need are ending at the same time.
            death_signal=signal.SIGKILL,
            env=self.env,
            output=subprocess.PIPE,
            pass_fds=child.pass_fds,
        )
        assert child.process.stdout is not None
        child.reader = threading.Thread(target=self._copy_lines, args=(child.name, child.process.stdout), daemon=True)
        child.reader.start()

    def _copy_lines(self, name: str, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._write(name, line.decode(errors="replace").rstrip("\n"))

    def _write(self, name: str, text: str) -> None:
        with self._write_lock, contextlib.suppress(BrokenPipeError):
            self.output.write(f"{name:<8} | {text}\n")
            self.output.flush()


def _status(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
