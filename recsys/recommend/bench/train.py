"""Bench `train`: what training costs as the interactions grow, on synthetic ones with a long tail.

Each size is trained in a process of its own, so that its peak memory is its own. The exponent is that of a power law
through the seconds of CPU: 1 is linear. Item graph and implicit ALS of 64 dimensions, as they are trained together.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
import scipy.sparse as sp
from django.conf import settings

from ml import als, item_graph
from ml.als import AlsConfig
from recsys.bench.memory import peak_mb
from recsys.bench.result import BenchOptions, BenchResult

SERVICES = False
SIZES = (100_000, 1_000_000, 10_000_000)
EACH = 25  # interactions of a user, on average
PER_ITEM = 50  # interactions of an item, on average
EPOCHS = 5
GOAL = 1.1


def run(options: BenchOptions) -> BenchResult:
    details: dict[str, Any] = {}
    for size in (options.scaled(size) for size in SIZES):
        found = _in_process_of_its_own(size)
        options.say(
            f"{size:>12,}: {found['pairs']:,} pairs, {found['graph_cpu_s']:.1f} s of CPU for the graph,"
            f" {found['ials_cpu_s']:.1f} s for iALS, {found['peak_mb']:,.0f} MB"
        )
        details |= {f"n{size}_{name}": value for name, value in found.items()}
    sizes = [options.scaled(size) for size in SIZES]
    pairs = [details[f"n{size}_pairs"] for size in sizes]
    parts = {part: exponent(pairs, [details[f"n{size}_{part}_cpu_s"] for size in sizes]) for part in ("graph", "ials")}
    whole = [details[f"n{size}_graph_cpu_s"] + details[f"n{size}_ials_cpu_s"] for size in sizes]
    details |= {f"{part}_exponent": value for part, value in parts.items()}
    return BenchResult(exponent(pairs, whole), "exponent (at most)", goal=GOAL, details=details | {"runs": 1})


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """Of the power law through the points, by least squares of the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def synthetic(interactions: int, rng: np.random.Generator) -> sp.csr_matrix:
    """Users of geometric activity and items of a long tail (a Zipf law with exponent 0.8), each pair once."""
    n_users, n_items = max(2, interactions // EACH), max(2, interactions // PER_ITEM)
    counts = rng.geometric(1 / EACH, n_users)
    popularity = 1 / np.arange(1, n_items + 1) ** 0.8
    edges = np.cumsum(popularity) / popularity.sum()
    rows = np.repeat(np.arange(n_users), counts)
    columns = np.minimum(np.searchsorted(edges, rng.random(len(rows))), n_items - 1)
    matrix = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(n_users, n_items))
    matrix.data[:] = 1
    return matrix


def measure(interactions: int) -> dict[str, float]:
    """Train both once: seconds of CPU, and the most memory of this process."""
    rng = np.random.default_rng(0)
    matrix = synthetic(interactions, rng)
    begun = time.process_time()
    item_graph.fit(matrix)
    graphed = time.process_time()
    als.fit(matrix, AlsConfig(dimensions=64, epochs=EPOCHS), rng)
    ended = time.process_time()
    return {
        "pairs": int(matrix.nnz),
        "graph_cpu_s": graphed - begun,
        "ials_cpu_s": ended - graphed,
        "peak_mb": peak_mb(),
    }


def _in_process_of_its_own(interactions: int) -> dict[str, float]:
    code = f"import json; from recsys.recommend.bench.train import measure; print(json.dumps(measure({interactions})))"
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, cwd=settings.BASE_DIR
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found
