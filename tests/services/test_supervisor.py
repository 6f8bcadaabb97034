"""Children are started, watched, started again and stopped in order."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from recsys.services import supervisor as module
from recsys.services.processes import wait_until
from recsys.services.supervisor import BackOff, Child, Supervisor

WAIT = "import time; print('running', flush=True); time.sleep(600)"
DRAIN = """
import signal, sys, time
def drain(*_):
    time.sleep(0.3)
    print("drained", flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, drain)
print("running", flush=True)
time.sleep(600)
"""
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('running', flush=True); time.sleep(600)"
)
FAMILY = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WAIT!r}])"


class Watched(Supervisor):
    """A supervisor whose output is kept."""

    @property
    def text(self) -> str:
        assert isinstance(self.output, io.StringIO)
        return self.output.getvalue()

    def tick_until(self, condition: Callable[[], bool], timeout: float = 20.0) -> None:
        def ticked() -> bool:
            self.tick()
            return condition()

        assert wait_until(ticked, timeout=timeout, interval=0), self.text


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Watched]]:
    """Supervise Python programs, given as name=source; all end with the test."""
    monkeypatch.setattr(module, "TICK", 0.01)
    made: list[Watched] = []

    def watch_(stop_timeout: float = 5.0, **programs: str) -> Watched:
        children = [
            Child(name, [sys.executable, "-c", source], stop_timeout=stop_timeout) for name, source in programs.items()
        ]
        made.append(Watched(children, [], dict(os.environ), io.StringIO()))
        made[-1].start()
        return made[-1]

    yield watch_
    for watched in made:
        watched.kill()
        watched.stop()


def pids_under(watched: Watched) -> list[int]:
    pids = [child.process.pid for child in watched.children if child.process]
    return [*pids, *(found.pid for pid in pids for found in psutil.Process(pid).children(recursive=True))]


def test_lines_carry_the_name_of_their_process(watch: Callable[..., Watched]) -> None:
    watched = watch(web="print('hello'); print('there', end='')")
    watched.tick_until(lambda: "there" in watched.text)
    assert "web      | hello\nweb      | there\n" in watched.text


@pytest.mark.fault
def test_a_dead_child_is_started_again(watch: Callable[..., Watched]) -> None:
    watched = watch(web=WAIT, beat=WAIT)
    watched.tick_until(lambda: watched.text.count("running") == 2)
    web, beat = (child.process for child in watched.children)
    assert web
    web.kill()
    watched.tick_until(lambda: watched.text.count("running") == 3)
    assert "web ended with signal SIGKILL; starting it again in 0.5 s" in watched.text
    assert watched.children[0].process is not web
    assert watched.children[1].process is beat


@pytest.mark.fault
def test_what_a_dead_child_started_ends_with_it(watch: Callable[..., Watched]) -> None:
    watched = watch(worker=FAMILY)
    watched.tick_until(lambda: "running" in watched.text)
    parent, grandchild = pids_under(watched)
    os.kill(parent, signal.SIGKILL)
    watched.tick_until(lambda: "starting it again" in watched.text)
    assert wait_until(lambda: not psutil.pid_exists(grandchild), timeout=5)


def test_a_child_that_keeps_dying_is_started_less_and_less_often() -> None:
    back_off = BackOff()
    assert [back_off.died() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert not back_off.is_due()


def test_a_long_life_forgives_earlier_deaths(monkeypatch: pytest.MonkeyPatch) -> None:
    back_off = BackOff()
    back_off.died()
    back_off.started()
    monkeypatch.setattr(back_off, "started_at", back_off.started_at - module.STEADY - 1)
    assert back_off.died() == module.FIRST_PAUSE


def test_stopping_lets_children_finish(watch: Callable[..., Watched]) -> None:
    watched = watch(worker=DRAIN)
    watched.tick_until(lambda: "running" in watched.text)
    watched.stop()
    assert "worker   | drained" in watched.text


def test_a_child_that_ignores_the_request_is_killed_with_its_family(watch: Callable[..., Watched]) -> None:
    watched = watch(stop_timeout=0.1, stubborn=STUBBORN, worker=FAMILY)
    watched.tick_until(lambda: watched.text.count("running") == 2)
    pids = pids_under(watched)
    assert len(pids) == 3
    watched.stop()
    assert wait_until(lambda: not any(psutil.pid_exists(pid) for pid in pids), timeout=5)
    assert "stubborn did not stop within 0 s and is killed" in watched.text


@pytest.mark.fault
def test_children_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    script = f"""
import os, sys
from recsys.services.supervisor import Child, Supervisor
watched = Supervisor([Child("a", [sys.executable, "-c", {STUBBORN!r}])], [], dict(os.environ))
watched.start()
while True:
    watched.tick()
"""
    supervisor = psutil.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[2], stdout=-1)
    assert supervisor.stdout.readline() == b"a        | running\n"
    children = supervisor.children(recursive=True)
    assert children
    supervisor.kill()
    supervisor.communicate()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive
