"""How many requests a client may make: a token bucket in Valkey, taken from by one script, so that parallel requests
cannot slip through together.

A bucket holds one minute's allowance and refills evenly. Where Valkey does not answer, requests are let through against
a bucket within the process: the allowance is then the client's own times the number of processes, which is a bound, and
partners keep working while a cache is away.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import redis
import structlog
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from realtime.valkey import make_client
from recsys.partners.authentication import Partner
from recsys.partners.keys import BUCKET
from recsys.partners.metrics import THROTTLE_FALLBACKS, THROTTLED

if TYPE_CHECKING:  # the views import what the settings name, and that is in here
    from rest_framework.views import APIView

logger = structlog.get_logger(__name__)

WINDOW = 60.0  # seconds for which an allowance is given, and in which an empty bucket is full again
PATIENCE = 0.25  # seconds that counting may delay a request
RECOVERY = 5.0  # seconds after a failure before Valkey is asked again
MAX_LOCAL_BUCKETS = 1000

TAKE = """
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local capacity = tonumber(ARGV[1])
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(held[1]) or capacity
local since = now - (tonumber(held[2]) or now)
tokens = math.min(capacity, tokens + math.max(0, since) * capacity / ARGV[2])
local allowed = 0
if tokens >= 1 then allowed = 1; tokens = tokens - 1 end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], ARGV[3])
return {allowed, tostring(tokens)}
"""


@dataclass(frozen=True)
class Grant:
    """The outcome for one request: whether it may go on, and what is left of `limit` requests a minute."""

    allowed: bool
    limit: int
    tokens: float

    @property
    def retry_after(self) -> float:
        """Seconds until one more request is allowed."""
        return max(0.0, (1 - self.tokens) * WINDOW / self.limit)

    @property
    def headers(self) -> dict[str, str]:
        full_in = ceil((self.limit - self.tokens) * WINDOW / self.limit)
        return {
            "RateLimit-Policy": f'"client";q={self.limit};w={WINDOW:.0f}',
            "RateLimit": f'"client";r={int(self.tokens)};t={full_in}',
        }


class LocalBuckets:
    """The same buckets within one process, for while Valkey is away; the least recently used are forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[int, tuple[float, float]] = OrderedDict()

    def take(self, client: int, limit: int) -> Grant:
        now = time.monotonic()
        with self._lock:
            tokens, at = self._held.pop(client, (float(limit), now))
            tokens = min(float(limit), tokens + (now - at) * limit / WINDOW)
            allowed = tokens >= 1
            self._held[client] = (tokens - allowed, now)
            while len(self._held) > MAX_LOCAL_BUCKETS:
                self._held.popitem(last=False)
        return Grant(allowed, limit, tokens - allowed)


class Buckets:
    """The buckets of all clients: in Valkey, or for `RECOVERY` seconds after it failed in this process."""

    def __init__(self) -> None:
        self._local = LocalBuckets()
        self._away_until = 0.0
        self._client: redis.Redis | None = None
        self._pid = 0

    def take(self, client: int, limit: int) -> Grant:
        if time.monotonic() >= self._away_until:
            try:
                key, ttl = BUCKET.key(client=client), str(BUCKET.ttl)
                allowed, tokens = self._connection().eval(TAKE, 1, key, str(limit), str(WINDOW), ttl)
                return Grant(bool(allowed), limit, float(tokens))
            except redis.RedisError as error:
                self._away_until = time.monotonic() + RECOVERY
                logger.warning("throttle_falls_back", error=type(error).__name__, seconds=RECOVERY)
        THROTTLE_FALLBACKS.inc()
        return self._local.take(client, limit)

    def _connection(self) -> redis.Redis:
        """A client less patient than the usual one. Made anew after a fork."""
        if self._client is None or self._pid != os.getpid():
            self._pid = os.getpid()
            self._client = make_client(socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
        return self._client


buckets = Buckets()


class ClientThrottle(BaseThrottle):
    """Counts by API client. Who has no key was refused before; no address, and so no forged header, plays a part."""

    def __init__(self) -> None:
        self._grant: Grant | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.user, Partner):
            return True
        client = request.user.client
        self._grant = buckets.take(client.pk, client.requests_per_minute)
        request._request.rate_limit_grant = self._grant  # type: ignore[attr-defined]
        if not self._grant.allowed:
            THROTTLED.inc()
        return self._grant.allowed

    def wait(self) -> float | None:
        return self._grant.retry_after if self._grant else None
