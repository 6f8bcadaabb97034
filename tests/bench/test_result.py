from __future__ import annotations

import json

import pytest

from recsys.bench.result import BenchResult, median_run, percentiles


def test_the_line_for_machines_keeps_the_contract():
    result = BenchResult(61234.56, "deliveries/s", limit=112_000.0, goal=0.5, details={"runs": 3, "p50_ms": 1.23456})
    assert json.loads(result.to_json("fanout")) == {
        "bench": "fanout",
        "value": 61230.0,
        "unit": "deliveries/s",
        "limit": 112000.0,
        "ratio": 0.5467,
        "goal": 0.5,
        "details": {"runs": 3, "p50_ms": 1.235},
    }


def test_without_a_limit_there_is_no_ratio():
    line = json.loads(BenchResult(5.0, "ms").to_json("x"))
    assert (line["limit"], line["ratio"], line["goal"]) == (None, None, None)


def test_the_table_names_everything():
    table = BenchResult(5.0, "ms", limit=10.0, details={"rows": 50_000}).to_table("delivery")
    assert [line.split() for line in table.splitlines()] == [
        ["delivery", "5", "ms"],
        ["limit", "10", "ms"],
        ["ratio", "0.5"],
        ["rows", "50,000"],
    ]


def test_the_median_run_is_one_that_happened():
    runs = [{"a": 3.0, "b": 1.0}, {"a": 1.0, "b": 9.0}, {"a": 2.0, "b": 5.0}]
    assert median_run(runs, by="a") == {"a": 2.0, "b": 5.0}


@pytest.mark.parametrize(("values", "p50", "p99"), [([7.0], 7, 7), (list(range(1, 101)), 50, 99), ([1, 2], 1, 2)])
def test_percentiles(values, p50, p99):
    found = percentiles(values)
    assert (found["p50_ms"], found["p99_ms"]) == (p50, p99)
