"""Connections to Valkey (or Redis), the JSON serializer of Django's cache, and the table of every key the product uses.

Nothing in Valkey is the only copy of anything. A module that owns keys declares them with `KeyPattern` in its `keys.py`;
nobody else spells a key. `tests/architecture/` holds the declared patterns against a running system.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from typing import Any, ClassVar

import redis
import redis.asyncio
from django.conf import settings

_local = threading.local()


def get_client() -> redis.Redis:
    """The calling process's client (thread-safe, pooled, made anew after a fork). Answers are bytes."""
    if getattr(_local, "pid", None) != os.getpid():
        _local.pid = os.getpid()
        _local.client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2)
    client: redis.Redis = _local.client
    return client


def make_blocking_client() -> redis.Redis:
    """A client without a socket timeout, for commands that wait at the server; the caller closes it."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=None)


def make_async_client() -> redis.asyncio.Redis:
    """An asyncio client for the running event loop; the caller closes it."""
    return redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2)


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
    """One kind of key: `template` has {placeholders}; `bound` and `ttl` (seconds, None: lives as long as its owner) are its limits."""

    template: str
    owner: str
    holds: str
    bound: str
    ttl: int | None
    registered: ClassVar[list[KeyPattern]] = []

    def __post_init__(self) -> None:
        KeyPattern.registered.append(self)

    def key(self, **parts: object) -> str:
        """The key for `parts`."""
        return self.template.format(**parts)
