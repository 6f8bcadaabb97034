from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, multiprocess

from recsys.services.counts import KEPT, settled

COUNTING = """
import os, time
from prometheus_client import Counter, Gauge, Histogram
for _ in range({processes}):
    if os.fork() == 0:
        Counter("things", "For a test.", ["kind"]).labels("a").inc(2)
        Histogram("seconds", "For a test.", buckets=(1, 10)).observe(5)
        Gauge("open", "For a test.", multiprocess_mode="livesum").set(7)
        os._exit(0)
    os.wait()
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


def run_processes(count: int) -> None:
    """Let as many processes count one after another, and end."""
    subprocess.run([sys.executable, "-c", COUNTING.format(processes=count)], env=dict(os.environ), check=True)


def read(directory: Path) -> dict[str, float]:
    with settled(directory):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        return {
            sample.name + sample.labels.get("le", ""): sample.value
            for metric in registry.collect()
            for sample in metric.samples
        }


def test_ended_processes_still_count_and_hold_nothing_open(directory: Path) -> None:
    run_processes(3)
    values = read(directory)
    assert values["things_total"] == 6
    assert (values["seconds_bucket1.0"], values["seconds_bucket10.0"], values["seconds_sum"]) == (0, 3, 15)
    assert "open" not in values


def test_the_number_of_files_is_bounded_and_no_count_is_lost(directory: Path) -> None:
    for round_number in (1, 2, 3):
        run_processes(KEPT + 1)
        values = read(directory)
        assert len(list(directory.glob("counter_*.db"))) == 1
        assert len(list(directory.glob("histogram_*.db"))) == 1
        assert values["things_total"] == 2 * round_number * (KEPT + 1)
        assert values["seconds_bucket+Inf"] == values["seconds_count"] == round_number * (KEPT + 1)


def test_the_living_keep_their_files(directory: Path) -> None:
    for kind in ("counter", "gauge_livesum"):
        (directory / f"{kind}_{os.getpid()}.db").touch()
    run_processes(KEPT + 1)
    with settled(directory):
        assert (directory / f"counter_{os.getpid()}.db").exists()
        assert (directory / f"gauge_livesum_{os.getpid()}.db").exists()
