"""Starting and stopping processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from recsys.services.errors import ServiceError
from recsys.services.processes import last_line, spawn, stop, wait_until

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"


def test_only_the_main_thread_starts_processes() -> None:
    errors: list[BaseException] = []

    def start() -> None:
        try:
            spawn(["true"], death_signal=signal.SIGKILL)
        except ServiceError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(errors[0])


def test_a_process_that_ignores_one_signal_gets_the_next() -> None:
    process = spawn([sys.executable, "-c", STUBBORN], death_signal=signal.SIGKILL, output=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"up\n"
    stop(process, signal.SIGTERM, signal.SIGINT, timeout=0.2)
    assert process.returncode != -signal.SIGKILL
    stop(process, signal.SIGTERM, timeout=1)  # what has ended is left in peace


def test_a_process_that_ignores_everything_is_killed() -> None:
    source = STUBBORN.replace("print", "signal.signal(signal.SIGINT, signal.SIG_IGN); print")
    process = spawn([sys.executable, "-c", source], death_signal=signal.SIGKILL, output=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"up\n"
    stop(process, signal.SIGTERM, timeout=0.1)
    assert process.returncode == -signal.SIGKILL
    assert not psutil.pid_exists(process.pid)


def test_waiting_ends() -> None:
    assert not wait_until(lambda: False, timeout=0.01)
    answers = iter([False, False, True])
    assert wait_until(lambda: next(answers), timeout=5, interval=0)


@pytest.mark.parametrize(("text", "said"), [("one\ntwo\n", "is: two"), ("", "is empty"), (None, "is empty")])
def test_the_last_line_of_a_log_is_quoted(tmp_path: Path, text: str | None, said: str) -> None:
    log = tmp_path / "log"
    if text is not None:
        log.write_text(text)
    assert said in last_line(log)
