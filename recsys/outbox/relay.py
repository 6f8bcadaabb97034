"""The relay: leases due rows and hands them, in batches by topic, to the Celery tasks of their handlers.

Any number of relays may run. Nothing is lost with one that is killed between leasing and sending, nor with a broker
that forgets: the leases run out, and the rows go out again.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import redis
import structlog
from celery import current_app
from django.db import DatabaseError, InterfaceError, connection
from kombu.exceptions import OperationalError as BrokerError

from realtime.valkey import make_blocking_client
from recsys.outbox import store
from recsys.outbox.handlers import Handler, all_registered, registered
from recsys.outbox.keys import WAKE
from recsys.outbox.rows import Row

__all__ = ["dispatch", "lease", "run"]

BATCH = 2000  # rows of one topic leased at once
SWEEP = 0.5  # seconds between looks where nobody nudges
BREATH = 0.02  # seconds between looks at queues that are full
LONGEST_PAUSE = 5.0  # seconds between attempts while PostgreSQL or the broker is away
MAX_WAITING = 32  # messages in a queue that no worker has taken yet, where no handler asks for fewer
SUSPECT = 2  # executions that have begun and not ended well, from which on a row is sent alone

logger = structlog.get_logger(__name__)
lease = store.lease


def run(stop: threading.Event) -> None:
    """Relay until `stop` is set. Survives outages of PostgreSQL, Valkey and the broker."""
    pause, breath = SWEEP, BREATH
    rooms = _Rooms()
    with _Bell() as bell:
        while not stop.is_set():
            try:
                rows = lease(BATCH, rooms.left())
                rooms.take(dispatch(rows))
                breath = BREATH if rows else min(breath * 2, SWEEP)
                if rooms.are_full:
                    stop.wait(breath)  # a nudge does not tell when workers have caught up
                elif len(rows) < BATCH:
                    bell.wait(stop)
                pause = SWEEP
            except (DatabaseError, InterfaceError, BrokerError, redis.RedisError, OSError) as error:
                logger.warning("relay_waits", error=repr(error), seconds=pause)
                connection.close()
                stop.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE)


def relay_once() -> int:
    """Lease and send what is due and has room in its queue, up to BATCH rows a topic; return how many that were."""
    rows = lease(BATCH, _Rooms().left())
    dispatch(rows)
    return len(rows)


def dispatch(rows: Sequence[Row]) -> Mapping[str, int]:
    """Send leased rows to their handlers' tasks, and return how many messages went to each queue.

    Rows without a handler are parked.

    Raises kombu's OperationalError where the broker is away; what was not sent is then due again at once.
    """
    unsent = list(_batches(rows))
    sent: Counter[str] = Counter()
    try:
        with current_app.producer_or_acquire() as producer:
            while unsent:
                entry, batch = unsent[0]
                messages = [row.to_message() for row in batch]
                # Once the lease is over, others may have the rows: the message is then worth nothing.
                entry.task.apply_async(
                    args=[messages], producer=producer, queue=entry.queue, expires=store.LEASE, retry=False
                )
                sent[entry.queue] += 1
                del unsent[0]
    finally:
        if unsent:
            store.release([row for _, batch in unsent for row in batch])
    return sent


def _batches(rows: Sequence[Row]) -> Iterator[tuple[Handler, list[Row]]]:
    topics: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        topics[row.topic].append(row)
    for topic, members in topics.items():
        entry = registered(topic)
        if entry is None:
            reason = f"No handler is registered for the topic {topic!r}. Is the app that captures it still installed?"
            store.park([row.id for row in members], reason)
            logger.error("outbox_topic_unknown", topic=topic, rows=len(members))
            continue
        # A row that came back more than once may be the one that ends its worker: it goes alone, so that it takes no
        # others with it each time.
        fresh = iter(row for row in members if row.attempts < SUSPECT)
        while batch := list(islice(fresh, entry.batch)):
            yield entry, batch
        yield from ((entry, [row]) for row in members if row.attempts >= SUSPECT)


class _Rooms:
    """How many more messages each queue has room for: beyond, they would only pile up and outlive their leases.

    The broker is asked again when it may matter, not before each of an idle site's posts.
    """

    def __init__(self) -> None:
        self._messages: dict[str, int] = {}
        self._asked = 0.0

    def left(self) -> dict[str, int]:
        """For each topic with a handler, how many rows there is room for."""
        if self.are_full or time.monotonic() - self._asked > SWEEP:
            self._ask()
        return {
            topic: self._messages.get(entry.queue, _most_waiting(entry.queue)) * entry.batch
            for topic, entry in all_registered().items()
        }

    def take(self, sent: Mapping[str, int]) -> None:
        """Count the messages that were sent."""
        for queue, messages in sent.items():
            self._messages[queue] = max(0, self._messages.get(queue, _most_waiting(queue)) - messages)

    @property
    def are_full(self) -> bool:
        """Whether a queue has, as far as is known, no room."""
        return not all(self._messages.values())

    def _ask(self) -> None:
        with current_app.connection_or_acquire() as broker:
            channel = broker.default_channel
            for name, queue in current_app.amqp.queues.items():
                waiting = int(queue.bind(channel).queue_declare().message_count)
                self._messages[name] = max(0, _most_waiting(name) - waiting)
        self._asked = time.monotonic()


def _most_waiting(queue: str) -> int:
    entries = (entry for entry in all_registered().values() if entry.queue == queue)
    return min([MAX_WAITING, *(entry.waiting for entry in entries if entry.waiting)])


class _Bell:
    """Waits for a nudge. While Valkey is away it only waits, which the sweep makes up for."""

    def __enter__(self) -> _Bell:
        self._client = make_blocking_client(longest_wait=SWEEP)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def wait(self, stop: threading.Event) -> None:
        try:
            self._client.blpop([WAKE.key()], timeout=SWEEP)
        except redis.RedisError:
            stop.wait(SWEEP)
