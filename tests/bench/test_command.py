"""The command, on fresh services of its own, with little work."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.site import ROOT


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, env=os.environ)


# What stands before p50_ms and p99_ms in the details of each bench.
SPREADS = {
    "outbox": [],
    "delivery": ["", "n20_"],
    "sockets": ["", "bare_", "n2_", "n40_bare_"],
    "reconnect": ["restart_", "drop_"],
    "fanout": ["mixed_small_", "mixed_middle_", "mixed_large_"],
    "celebrity": ["write_1k_", "write_100k_", "write_1m_"],
}


@pytest.mark.flow
@pytest.mark.parametrize("name", SPREADS)
def test_a_bench_ends_with_one_line_of_json(name):
    done = bench(name, "--scale", "0.02", "--runs", "1", "--json")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    result = json.loads(line)
    assert result["bench"] == name
    assert result["value"] > 0
    assert result["details"]["runs"] == 1
    assert result["details"]["foreign_cpu"] >= 0
    if result["limit"] is not None:
        assert result["ratio"] == pytest.approx(result["value"] / result["limit"], rel=1e-2)
    for prefix in SPREADS[name]:
        assert result["details"][f"{prefix}p99_ms"] >= result["details"][f"{prefix}p50_ms"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"), [(["nothing"], "invalid choice"), (["outbox", "--runs", "0"], "--runs is at least 1")]
)
def test_nonsense_is_refused_before_anything_starts(arguments, words):
    done = bench(*arguments)
    assert done.returncode != 0
    assert words in done.stderr
