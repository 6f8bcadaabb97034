"""Connections to Valkey (or Redis), the JSON serializer of Django's cache, and the table of every key in use.

Nothing in Valkey is the only copy of anything. A module that owns keys declares them with `KeyPattern` in its
`keys.py`; nobody else spells a key. `tests/architecture/` holds the declared patterns against a running system.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

# A Valkey that hangs must not hold a thread of the web server for long: its answers take milliseconds or do not come.
TIMEOUTS: dict[str, Any] = {"socket_timeout": 2.0, "socket_connect_timeout": 1.0}


def get_client() -> redis.Redis:
    """The calling process's client (thread-safe, pooled, made anew after a fork). Answers are bytes."""
    return _client_of(os.getpid(), settings.REDIS_URL)


@lru_cache(maxsize=1)
def _client_of(pid: int, url: str) -> redis.Redis:
    return make_client(**TIMEOUTS)


def make_client(*, retries: int = 1, **options: Any) -> redis.Redis:
    """A client of the caller's own. One immediate retry: a pooled connection may be from before a restart of Valkey.

    redis-py's default, three retries with pauses of up to ten seconds, would stall whoever asks while Valkey is down.
    """
    return redis.Redis.from_url(settings.REDIS_URL, retry=Retry(NoBackoff(), retries), **options)


def make_blocking_client(*, longest_wait: float | None = None) -> redis.Redis:
    """A client for commands that wait at the server for `longest_wait` seconds (None: for ever); the caller closes."""
    patience = None if longest_wait is None else longest_wait + 2
    return make_client(retries=0, socket_timeout=patience, socket_connect_timeout=2)


def make_async_client(*, connections: int = 8) -> redis.asyncio.Redis:
    """An asyncio client for the running event loop; the caller closes it. More calls at once wait for a connection."""
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        settings.REDIS_URL, max_connections=connections, timeout=5, retry=AsyncRetry(NoBackoff(), 1), **TIMEOUTS
    )
    return redis.asyncio.Redis.from_pool(pool)


class Trip:
    """Commands of several modules that go to Valkey together, in their order.

    Each module adds its own (`ask`); whoever has the last one sends them all (`go`), and each takes its answers apart.
    """

    def __init__(self) -> None:
        self._pipeline: redis.client.Pipeline = get_client().pipeline(transaction=False)
        self._answers: list[Any] = []

    def ask(self, *command: Any) -> Callable[[], Any]:
        """Add a command; what is returned gives its answer, once `go` has been called."""
        place = len(self._pipeline)
        self._pipeline.execute_command(*command)
        return lambda: self._answers[place]

    def go(self) -> None:
        """Send everything. Raises redis.RedisError where Valkey is away, or refuses a command."""
        self._answers = self._pipeline.execute()


class JsonSerializer:
    """What Django's RedisCache stores. Pickle would run the code of whoever can write to Valkey."""

    def __init__(self, protocol: Any = None) -> None:
        pass

    def dumps(self, value: Any) -> bytes | int:
        # Integers stay bare, so that INCR works on them.
        return value if type(value) is int else json.dumps(value).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


@dataclass(frozen=True)
class KeyPattern:
    """One kind of key: `template` has {placeholders}; `bound` and `ttl` are its limits.

    `ttl` is in seconds; None: the key lives as long as its owner. A key beyond `most_bytes` alarms staff.
    """

    template: str
    owner: str
    holds: str
    bound: str
    ttl: int | None
    most_bytes: int | None = None
    registered: ClassVar[list[KeyPattern]] = []

    def __post_init__(self) -> None:
        KeyPattern.registered.append(self)

    def key(self, **parts: object) -> str:
        """The key for `parts`."""
        return self.template.format(**parts)

    def keys(self, values: Iterable[object]) -> list[str]:
        """The keys for many values of the only placeholder: `key` for each takes five times as long."""
        before, after = re.split(r"{\w+}", self.template)
        return [f"{before}{value}{after}" for value in values]
