"""Bench `outbox`: changes captured, leased, handled and finished per second, by a real relay and a real worker.

The limit is what a consumer could do that promises nothing: DELETE … SKIP LOCKED in batches, and XADD of the same rows.
Beside it: what capture costs a writer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import connection

from realtime.valkey import get_client
from recsys.bench.processes import product_process
from recsys.bench.result import BenchOptions, BenchResult, median_run

ROWS = 50_000
SINGLE_ROWS = 400
RAW_BATCH = 1000
RAW_STREAM = "bench:outbox"
TIMEOUT = 120.0

_RAW = """
    DELETE FROM outbox WHERE id IN (
        SELECT id FROM outbox WHERE leased_until <= statement_timestamp() AND parked_at IS NULL
        ORDER BY leased_until LIMIT %s FOR UPDATE SKIP LOCKED
    ) RETURNING id::text, aggregatetype, aggregateid, type, payload::text
"""


def run(options: BenchOptions) -> BenchResult:
    rows = options.scaled(ROWS)
    with _toy_table():
        writers = _writer_cost(options.scaled(SINGLE_ROWS))
        runs = [_drain_both_ways(rows, options) for _ in range(options.runs)]
    middle = median_run(runs, by="ratio")
    details = {"rows": rows, "copy_captured_rows_s": middle["copy"], **writers}
    return BenchResult(middle["value"], "rows/s", limit=middle["limit"], goal=0.5, details=details)


def _drain_both_ways(rows: int, options: BenchOptions) -> dict[str, float]:
    copied = _copy_posts(rows)
    limit = _drain_raw(rows)
    value = _drain_by_relay(rows)
    options.say(f"captured {rows / copied:,.0f}/s   raw {limit:,.0f}/s   relayed and handled {value:,.0f}/s")
    return {"copy": rows / copied, "limit": limit, "value": value, "ratio": value / limit}


def _drain_raw(rows: int) -> float:
    client = get_client()
    client.delete(RAW_STREAM)
    began = time.perf_counter()
    while batch := _fetch(_RAW, RAW_BATCH):
        pipeline = client.pipeline(transaction=False)
        for row_id, topic, key, kind, payload in batch:
            pipeline.xadd(RAW_STREAM, {"id": row_id, "topic": topic, "key": key, "type": kind, "payload": payload})
        pipeline.execute()
    seconds = time.perf_counter() - began
    assert client.xlen(RAW_STREAM) == rows, "the raw drain took all rows, and no others"
    client.delete(RAW_STREAM)
    return rows / seconds


def _drain_by_relay(rows: int) -> float:
    """From the commit of all rows until the last has been finished, with processes that wait for them."""
    with product_process("relay"), product_process("worker", "--concurrency", "2"):
        _copy_posts(1)
        _wait_until_empty()
        _copy_posts(rows)
        began = time.perf_counter()
        _wait_until_empty()
        return rows / (time.perf_counter() - began)


def _writer_cost(rows: int) -> dict[str, float]:
    """Single-row posts per second with capture and without, in turns so that both meet the same machine."""
    seconds = {"ENABLE": 0.0, "DISABLE": 0.0}
    for turn in range(8):
        for state in sorted(seconds, reverse=bool(turn % 2)):
            _execute(f"ALTER TABLE bench_toy_post {state} TRIGGER USER")
            began = time.perf_counter()
            for number in range(rows // 8 + 1):
                _execute("INSERT INTO bench_toy_post (author, text) VALUES (%s, %s)", number, "A short post.")
            seconds[state] += time.perf_counter() - began
    _execute("ALTER TABLE bench_toy_post ENABLE TRIGGER USER")
    _execute("TRUNCATE outbox")
    with_capture, without = (8 * (rows // 8 + 1) / seconds[state] for state in ("ENABLE", "DISABLE"))
    return {"single_captured_s": with_capture, "single_plain_s": without, "capture_cost": 1 - with_capture / without}


def _copy_posts(rows: int) -> float:
    """COPY `rows` posts, each of which is captured; return the seconds it took."""
    began = time.perf_counter()
    with connection.cursor() as cursor, cursor.copy("COPY bench_toy_post (author, text) FROM STDIN") as copy:
        for number in range(rows):
            copy.write_row((number % 1000, "A post as long as posts are, which is not very long."))
    return time.perf_counter() - began


def _wait_until_empty() -> None:
    deadline = time.monotonic() + TIMEOUT
    while _fetch("SELECT 1 FROM outbox LIMIT 1"):
        if time.monotonic() > deadline:
            raise CommandError(f"The outbox is not empty after {TIMEOUT:.0f} s: {_fetch('TABLE outbox LIMIT 1')}")
        time.sleep(0.01)


@contextmanager
def _toy_table() -> Iterator[None]:
    try:
        model: Any = apps.get_app_config("bench_toy").get_model("ToyPost")
    except LookupError as error:
        raise ImproperlyConfigured(
            "This bench needs DJANGO_SETTINGS_MODULE=recsys.bench.settings when it runs with --here."
        ) from error
    if _fetch("SELECT 1 FROM outbox LIMIT 1"):
        raise CommandError("The outbox holds rows of somebody else; this bench needs an empty one.")
    with connection.schema_editor() as editor:
        editor.create_model(model)
    try:
        for trigger in model._meta.triggers:
            trigger.install(model)
        yield
    finally:
        _execute("DROP TABLE bench_toy_post")
        _execute("DELETE FROM outbox WHERE aggregatetype = 'bench.post'")
        with suppress(redis.RedisError):
            get_client().delete(RAW_STREAM)


def _fetch(sql: str, *parameters: str | int) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return list(cursor.fetchall())


def _execute(sql: str, *parameters: str | int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
