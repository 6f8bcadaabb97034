"""The operations panel's live stream: it says only that it is time to look again.

Each of the staff sees other figures, so each page asks for its own, which checks what they may see.
"""

from __future__ import annotations

from collections.abc import Sequence

import redis

from realtime import streams
from realtime.bounds import Bounds
from realtime.subscriptions import Grant, Request
from recsys.accounts.models import User

KIND = STREAM = "operations"
BOUNDS = Bounds(history=1, ttl=900)


def panel_rule(requests: Sequence[Request]) -> list[Grant | None]:
    """Rule of the subscription kind "operations": for staff. One query."""
    users = {request.user for request in requests if request.user is not None and not request.argument}
    staff = set(User.objects.filter(pk__in=users, is_staff=True, is_active=True).values_list("pk", flat=True))
    return [Grant([STREAM]) if request.user in staff and not request.argument else None for request in requests]


def panel_position() -> str:
    """Where a panel goes on; ask before its figures are read. Empty where there is none: then it looks at once."""
    try:
        return streams.positions([STREAM])
    except redis.RedisError:
        return ""


def do_tell_panels() -> None:
    """Let the panels that somebody looks at show what is now."""
    if streams.with_readers([STREAM]):
        streams.append([(STREAM, {"type": "operations", "key": STREAM})])
