"""What a bench measures, and how it is said: a table for people and one JSON object for machines."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class BenchResult:
    """`value` is the headline figure, `limit` the raw limit measured beside it in the same run, `goal` what we want.

    The goal is one for `ratio` where there is a limit. `details` holds whatever else was measured: latencies as
    `p50_ms`, `p99_ms`, memory as `peak_mb`, `kb_each`, CPU as `cpu_s`, `cpu_us_each`.
    """

    value: float
    unit: str
    limit: float | None = None
    goal: float | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.value / self.limit if self.limit else None

    def to_json(self, bench: str) -> str:
        fields = {"bench": bench, "value": self.value, "unit": self.unit, "limit": self.limit, "ratio": self.ratio}
        return json.dumps(_rounded(fields | {"goal": self.goal, "details": self.details}))

    def to_table(self, bench: str) -> str:
        rows = [(bench, f"{_figure(self.value)} {self.unit}")]
        if self.limit is not None:
            rows.append(("limit", f"{_figure(self.limit)} {self.unit}"))
            rows.append(("ratio", _figure(self.ratio)))
        if self.goal is not None:
            rows.append(("goal", _figure(self.goal)))
        rows += [(name, _figure(value)) for name, value in self.details.items()]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name.ljust(width)}  {value}" for name, value in rows)


@dataclass(frozen=True)
class BenchOptions:
    """`runs`: repetitions, of which the median counts. `scale`: of the amount of work; published figures are from 1.
    `path` and `format` are of the data to measure by, where a bench takes any."""

    runs: int
    scale: float
    say: Callable[[str], None]
    path: Path | None = None
    format: str | None = None

    def scaled(self, amount: int) -> int:
        return max(1, round(amount * self.scale))


def median_run(runs: Sequence[dict[str, float]], by: str) -> dict[str, float]:
    """The run whose `by` is the (upper) median: its figures belong together, which medians of each would not."""
    return sorted(runs, key=lambda run: run[by])[len(runs) // 2]


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """`p50_ms`, `p90_ms` and `p99_ms` of latencies, each the smallest value that so many do not exceed."""
    ordered = sorted(milliseconds)
    return {f"p{p}_ms": ordered[math.ceil(p / 100 * len(ordered)) - 1] for p in (50, 90, 99)}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
