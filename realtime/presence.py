"""Who is connected: users, not sockets. Kept in Valkey by the hubs, and told in one stream that all share.

A user is online while some connection of theirs is open, and for ONLINE_TTL after the last heartbeat: a reload, or a
restart of the server, is no absence. Each change is an event of the stream PRESENCE_STREAM, `{"type": "presence",
"user": id, "online": true}`; a subscription to it has a filter that names whom its reader may see. Whether somebody is
shown at all is decided by the rule that an app registers; without one nobody is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from realtime import streams
from realtime.keys import MOST_ONLINE, ONLINE, ONLINE_KEPT, ONLINE_TTL
from realtime.valkey import get_client

PRESENCE_STREAM = "presence"
MOST_GONE = 1000  # that one call notices

# Says of some users that they are online, and answers who of them was not, and who is not any more. Each of the latter
# is answered once, to whichever process asks first.
_BEAT = """
local now, arrived, scores = tonumber(redis.call('TIME')[1]), {}, {}
local ends = now + ARGV[1]
for i = 5, #ARGV do
    local known = redis.call('ZSCORE', KEYS[1], ARGV[i])
    if not known or tonumber(known) < now then
        arrived[#arrived + 1] = ARGV[i]
    end
    scores[#scores + 1] = ends
    scores[#scores + 1] = ARGV[i]
end
if #scores > 0 then
    redis.call('ZADD', KEYS[1], unpack(scores))
end
local gone = redis.call('ZRANGE', KEYS[1], '-inf', '(' .. now, 'BYSCORE', 'LIMIT', 0, ARGV[3])
if #gone > 0 then
    redis.call('ZREM', KEYS[1], unpack(gone))
end
local surplus = redis.call('ZCARD', KEYS[1]) - ARGV[2]
if surplus > 0 then
    redis.call('ZREMRANGEBYRANK', KEYS[1], 0, surplus - 1)
end
redis.call('EXPIRE', KEYS[1], ARGV[4])
return {arrived, gone}
"""
# Lets some users count as gone, and answers who of them did not. Should it not be told, the next beat tells of them.
_FORGET = """
local now, known = tonumber(redis.call('TIME')[1]), {}
for i, user in ipairs(ARGV) do
    if redis.call('ZSCORE', KEYS[1], user) then
        redis.call('ZADD', KEYS[1], now - 1, user)
        known[#known + 1] = user
    end
end
return known
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


def do_forget(users: Collection[int]) -> None:
    """Show these users as online no longer, at once (they hide themselves, say). Raises redis.RedisError."""
    if users and (known := get_client().eval(_FORGET, 1, ONLINE.key(), *users)):
        streams.append(event_of(int(user), online=False) for user in known)
        get_client().zrem(ONLINE.key(), *known)


def event_of(user: int, online: bool) -> tuple[str, dict[str, Any]]:
    """The stream and the event that tell of a change. It says all that there is to say, so the last one holds."""
    return PRESENCE_STREAM, {"type": "presence", "user": user, "key": user, "online": online}


def beat_arguments(users: Sequence[int]) -> list[Any]:
    """Arguments of EVAL that says that these users are online."""
    return [_BEAT, 1, ONLINE.key(), ONLINE_TTL, MOST_ONLINE, MOST_GONE, ONLINE_KEPT, *users]


def beat_answer(answer: Sequence[Sequence[bytes]]) -> tuple[set[int], set[int]]:
    """Who of them was not, and who (of all) is not any more."""
    arrived, gone = answer
    return {int(user) for user in arrived}, {int(user) for user in gone}
