"""How many events a browser may send."""

from __future__ import annotations

import logging
import time

import redis

from realtime.valkey import get_client
from recsys.events.keys import RATE

logger = logging.getLogger(__name__)

EVENTS_A_MINUTE = 240  # a page that is scrolled fast, with every card a view


def seconds_to_wait(user_id: int, *, now: float | None = None) -> int:
    """Count one event of the user's; 0 where it may come in, else the seconds until the next may.

    Where Valkey does not answer, it may: what a person says must not be lost because a counter is away.
    """
    now = time.time() if now is None else now
    key = RATE.key(user_id=user_id, minute=int(now // 60))
    try:
        with get_client().pipeline() as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, RATE.ttl or 60)
            count, _ = pipeline.execute()
    except redis.RedisError as error:
        logger.warning("Events are not limited, because Valkey does not answer: %s", error)
        return 0
    return 60 - int(now % 60) if count > EVENTS_A_MINUTE else 0
