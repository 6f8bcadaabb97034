"""How fast a browser may act for its user."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

import redis
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from realtime.valkey import get_client
from recsys.accounts.requests import reader
from recsys.events.keys import RATE

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

logger = logging.getLogger(__name__)

EVENTS_A_MINUTE = 240  # a page that is scrolled fast, with every card a view
POSTS_A_MINUTE = 20  # each may tell dozens of people that it names them
SIGNALS_A_MINUTE = 60  # each is told to all readers of a page


def seconds_to_wait(user_id: int, *, what: str = "event", now: float | None = None) -> int:
    """Count one act of the user's, an "event", a "post" or a "signal"; 0 where it may be, else the seconds until the
    next may.

    Where Valkey does not answer, it may: what a person says must not be lost because a counter is away.
    """
    now = time.time() if now is None else now
    key = RATE.key(what=what, user_id=user_id, minute=int(now // 60))
    try:
        with get_client().pipeline() as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, RATE.ttl or 60)
            count, _ = pipeline.execute()
    except redis.RedisError as error:
        logger.warning("Acts are not limited, because Valkey does not answer: %s", error)
        return 0
    most = {"post": POSTS_A_MINUTE, "signal": SIGNALS_A_MINUTE}.get(what, EVENTS_A_MINUTE)
    return 60 - int(now % 60) if count > most else 0


def paced(what: str = "event") -> Callable[[View[P]], View[P]]:
    """Let a signed-in user POST to the view no faster than `seconds_to_wait` says; looking is not counted."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def wrapper(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            user = reader(request) if request.method == "POST" else None
            if user and (wait := seconds_to_wait(user.pk, what=what)):
                response = render(request, "429.html", status=429)
                response["Retry-After"] = str(wait)
                return response
            return view(request, *args, **kwargs)

        return wrapper

    return decorate
