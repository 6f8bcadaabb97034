"""Who is connected: users, not sockets. Kept in Valkey by the hubs, and told in one stream that all share.

A user is online while some connection of theirs is open, and for ONLINE_TTL after the last heartbeat: a reload, or a
restart of the server, is no absence. Each change is an event of the stream PRESENCE_STREAM, `{"type": "presence",
"user": id, "online": true}`; a subscription to it has a filter that names whom its reader may see. Whether somebody is
shown at all is decided by the rule that an app registers; without one nobody is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from realtime import streams
from realtime.keys import ONLINE
from realtime.valkey import get_client

PRESENCE_STREAM = "presence"
# Takes users out; the answer are those who were there.
_FORGET = """
local gone = {}
for _, user in ipairs(ARGV) do
    if redis.call('ZREM', KEYS[1], user) == 1 then
        gone[#gone + 1] = user
    end
end
return gone
"""

# Users → those of them who let others see when they are online. May query the database.
Visibility = Callable[[Sequence[int]], Collection[int]]

_visibility: list[Visibility] = []


def register_visibility(rule: Visibility) -> None:
    """Let this rule say who is shown as online. Registering another one is an error in the program."""
    if rule not in _visibility:
        if _visibility:
            raise ValueError(f"Who is shown as online is decided by {_visibility[0]!r} already.")
        _visibility.append(rule)


def visible_among(users: Sequence[int]) -> set[int]:
    """Those of `users` who let others see when they are online."""
    return set(_visibility[0](users)) if _visibility and users else set()


def online_among(users: Sequence[int]) -> set[int]:
    """Those of `users` who are shown as online now. Raises redis.RedisError where Valkey is away.

    Take the position of PRESENCE_STREAM first, as with every stream. Whether the asker may know is the caller's matter.
    """
    if not users:
        return set()
    client = get_client()
    now, _ = client.time()
    scores = client.zmscore(ONLINE.key(), [str(user) for user in users])
    return {user for user, score in zip(users, scores, strict=True) if score is not None and score >= now}


def do_forget(users: Sequence[int]) -> None:
    """Let nobody see any more that these users are online, and tell it: they have hidden themselves, say.

    The rule of visibility must not show them any more by then, or they come back. Raises redis.RedisError where Valkey
    is away.
    """
    gone = get_client().eval(_FORGET, 1, ONLINE.key(), *users) if users else []
    streams.append((PRESENCE_STREAM, {"type": "presence", "user": int(user), "online": False}) for user in gone)
