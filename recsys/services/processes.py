"""Start and stop child processes so that none outlives its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from recsys.services.errors import ServiceError

PR_SET_PDEATHSIG = 1
# Loaded here and not between fork and exec, where nothing may allocate or take a lock.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent(signum: int, parent: int) -> None:
    """Ask the kernel to send `signum` to this process when the thread that forked it ends (Linux; elsewhere nothing).

    `parent` is the pid that forked it: where that one is already gone, the signal would never come, so end now.
    """
    if _libc is None:
        return
    _libc.prctl(PR_SET_PDEATHSIG, signum)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def spawn(
    command: Sequence[str | Path],
    *,
    death_signal: int,
    user: int | None = None,
    group: int | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    output: IO[bytes] | int | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `command` in its own session, tied to this process's life by `death_signal`.

    Its own session keeps the terminal's Ctrl-C from reaching it: the supervisor stops its children in order.
    Call it from the main thread, because the tie is to the thread that forks.
    """
    if threading.current_thread() is not threading.main_thread():
        raise ServiceError("Child processes are started from the main thread: they would end with any other thread.")
    parent = os.getpid()
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env=env,
        cwd=cwd,
        start_new_session=True,
        user=user,
        group=group,
        extra_groups=[] if user is not None else None,
        pass_fds=pass_fds,
        preexec_fn=lambda: die_with_parent(death_signal, parent),
    )


def stop(process: subprocess.Popen[bytes], *signals: int, timeout: float) -> None:
    """Send each of `signals` until the process has ended, `timeout` seconds for each; then SIGKILL its group."""
    for signum in signals:
        if process.poll() is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signum)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout)
    kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the process's session, grandchildren included."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(ready: Callable[[], bool], *, timeout: float, interval: float = 0.02) -> bool:
    """Poll `ready` until it is true; False when `timeout` seconds passed first."""
    deadline = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


def last_line(log: Path) -> str:
    """The end of a log for an error message, with where to read more."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return f"The last line of {log} is: {lines[-1]}" if lines else f"{log} is empty."
