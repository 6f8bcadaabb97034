"""Handlers: what follows from a change. Each app's `handlers.py` registers one for each topic that it captures.

    @handler("feeds.post")
    def deliver_posts(rows: Sequence[Row]) -> Iterable[Child] | None: ...

A handler gets a batch of rows, re-reads the current state and brings what it owns to it, so that neither order nor
repetition matters: a row can come twice, late, or after what it speaks of has gone. When it returns, its rows are
deleted and the children it returned are written, in one transaction. What it raises is kept with the row, which comes
again.

`effect="transaction"` runs the handler inside the transaction that deletes its rows, with those that were still there:
what it writes to PostgreSQL happens exactly once. Such a handler must do nothing outside of PostgreSQL.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import redis
import structlog
from celery import Task, shared_task
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from prometheus_client import Counter, Histogram

from realtime.valkey import get_client
from recsys.outbox import store
from recsys.outbox.correlation import bound_to
from recsys.outbox.rows import Child, Row

__all__ = ["Child", "Handler", "Row", "all_registered", "execute", "handler", "registered"]

Function = Callable[[Sequence[Row]], Iterable[Child] | None]
# What a service that is away raises; but so does a row that asks too much of one that is there (a timeout, say).
MAY_BE_OUTAGES = (redis.TimeoutError, OperationalError, InterfaceError)

HANDLED = Counter("tributary_outbox_handled_rows", "Rows that handlers ended with, by outcome.", ["topic", "outcome"])
SECONDS = Histogram("tributary_outbox_handler_seconds", "Time a handler took for its batch.", ["topic"])
logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Handler:
    """A registered handler and the Celery task that runs it; a message holds at most `batch` rows.

    `waiting` bounds the messages in its queue that no worker has taken: later rows of less work cannot pass those.
    """

    topic: str
    function: Function
    task: Task
    queue: str
    batch: int
    in_transaction: bool
    waiting: int | None = None


_handlers: dict[str, Handler] = {}


def handler(
    topic: str,
    *,
    queue: str = "celery",
    batch: int = 200,
    effect: Literal["external", "transaction"] = "external",
    waiting: int | None = None,
) -> Callable[[Function], Function]:
    """Register the decorated function for `topic`. A second one for the same topic is an error in the program."""

    def register(function: Function) -> Function:
        if topic in _handlers and _handlers[topic].function.__qualname__ != function.__qualname__:
            raise ValueError(f"The topic {topic!r} has a handler already: {_handlers[topic].function.__qualname__}.")

        # Acknowledged at once: a message that is lost with its worker is no loss, the row's lease brings it again.
        @shared_task(name=f"outbox.{topic}", acks_late=False)
        def task(messages: list[list[Any]]) -> None:
            execute(topic, [Row.from_message(topic, message) for message in messages])

        _handlers[topic] = Handler(topic, function, task, queue, batch, effect == "transaction", waiting)
        return function

    return register


def registered(topic: str) -> Handler | None:
    """The handler of `topic`, if there is one."""
    return _handlers.get(topic)


def all_registered() -> Mapping[str, Handler]:
    """The handlers by topic."""
    return _handlers


def execute(topic: str, rows: Sequence[Row]) -> list[tuple[Row, Exception]]:
    """Run the topic's handler on leased rows and finish them; return those that failed, with the error.

    A batch that fails is tried again row by row, so that one bad row takes no good one with it.
    """
    entry = _handlers[topic]
    with bound_to(rows):
        began = time.perf_counter()
        failed = _execute(entry, store.begin(rows))
        seconds = time.perf_counter() - began
        SECONDS.labels(topic).observe(seconds)
        logger.info("outbox_handled", topic=topic, rows=len(rows) - len(failed), ms=round(seconds * 1000, 1))
        for row, error in failed:
            logger.error("outbox_row_failed", topic=topic, row=row.id, key=row.key, error=repr(error), exc_info=error)
            store.fail(row, error, counts=not isinstance(error, Outage))
    HANDLED.labels(topic, "failed").inc(len(failed))
    HANDLED.labels(topic, "done").inc(len(rows) - len(failed))
    return failed


def _execute(entry: Handler, rows: Sequence[Row]) -> list[tuple[Row, Exception]]:
    if not rows:
        return []
    try:
        _run(entry, rows)
    except Exception as error:
        if _is_outage(error):
            outage = Outage(f"{type(error).__name__}: {error}")
            return [(row, outage) for row in rows]
        if len(rows) == 1:
            return [(rows[0], error)]
        return [failure for row in rows for failure in _execute(entry, [row])]
    return []


class Outage(Exception):
    """A service was away: not the rows' fault, and no step towards parking them."""


def _is_outage(error: Exception) -> bool:
    if isinstance(error, redis.ConnectionError):
        return True
    if not isinstance(error, MAY_BE_OUTAGES):
        return False
    try:
        get_client().ping()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (redis.RedisError, DatabaseError, InterfaceError):
        return True
    return False


def _run(entry: Handler, rows: Sequence[Row]) -> None:
    if entry.in_transaction:
        with transaction.atomic():
            mine = store.finish(rows)
            _continue(entry.function([row for row in rows if row.id in mine]), rows)
        return
    children = entry.function(rows)
    with transaction.atomic():
        # Where none was left, a second execution of the same rows has finished them, and has written the children.
        if store.finish(rows):
            _continue(children, rows)


def _continue(children: Iterable[Child] | None, rows: Sequence[Row]) -> None:
    store.add_children(list(children or ()), next((row.request_id for row in rows if row.request_id), None))
