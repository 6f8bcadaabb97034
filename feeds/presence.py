"""Whom a reader sees online: people whom they follow, as far as both let others see it.

Nobody watches somebody without being seen: who hides when they are online sees it of nobody. Who is shown at all is
decided where it is told (`showing_presence`), so that a change of somebody's mind costs nothing per follower; here is
decided of whom a reader hears.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import redis
import structlog

from feeds.subscriptions import shared_stream, user_stream
from feeds.visibility import apart, mutes
from realtime import presence, streams
from realtime.presence import PRESENCE_STREAM
from realtime.subscriptions import Filter, Grant, Request
from recsys.accounts.models import User
from recsys.prepared import read_prepared

KIND = "presence"
MOST_SEEN = 500  # people: the latest follows
SHOWN = 12

_SEEN = f"""
    SELECT u.id, ARRAY(
        SELECT f.followee_id FROM (
            SELECT id, followee_id FROM feeds_follow WHERE follower_id = u.id ORDER BY id DESC LIMIT %(most)s
        ) f
        WHERE NOT {mutes("u.id", "f.followee_id")} AND NOT {apart("u.id", "f.followee_id")} ORDER BY f.id DESC
    ) FROM accounts_user u WHERE u.id = ANY(%(readers)s::bigint[]) AND u.is_active AND u.shows_presence
"""  # noqa: S608 (of our own texts)

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Online:
    """Who is online of those whom a reader sees: `ids` all, the latest follow first, `people` the first SHOWN.

    `sees_anybody`: there are people whom they could see. `position` is where news of it go on from; empty where there
    are none to be had, and then nobody is online as far as is known.
    """

    people: list[User]
    ids: list[int]
    sees_anybody: bool
    position: str
    most: int = SHOWN

    @property
    def more(self) -> int:
        return len(self.ids) - len(self.people)


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a person is online, for a reader who sees it of them; `position` as above."""

    person: User
    is_online: bool
    position: str


def seen_people(readers: Sequence[int]) -> dict[int, list[int]]:
    """Whom each of these readers may see online, the latest follow first; who sees nobody's is left out. One query."""
    return dict(read_prepared(_SEEN, {"readers": readers, "most": MOST_SEEN})) if readers else {}


def presence_rule(requests: Sequence[Request]) -> list[Grant | None]:
    """Rule of the subscription kind "presence": of the people whom one follows, as they come and go."""
    seen = seen_people([request.user for request in requests if request.user is not None])
    return [
        shared_stream(request.user, PRESENCE_STREAM, Filter("user", frozenset(seen[request.user])))
        if request.user in seen and not request.argument
        else None
        for request in requests
    ]


def online_people(reader: User) -> Online | None:
    """Who is online of those whom the reader sees; None for a reader who sees nobody's. At most two queries."""
    seen = seen_people([reader.pk]).get(reader.pk)
    if seen is None:
        return None
    position, online = _ask(reader.pk, seen)
    # Asked again here: what Valkey holds may be from a moment before somebody hid.
    shown = User.objects.filter(pk__in=online, is_active=True, shows_presence=True) if online else ()
    people = {person.pk: person for person in shown}
    ids = [person for person in seen if person in people]
    return Online([people[person] for person in ids[:SHOWN]], ids, bool(seen), position)


def presence_of(*, person: User, reader: User | None) -> Presence | None:
    """Whether `person` is online; None for a reader who does not see it of them. One query.

    Who hides it looks like somebody who is not there.
    """
    if reader is None or person.pk not in seen_people([reader.pk]).get(reader.pk, ()):
        return None
    position, online = _ask(reader.pk, [person.pk])
    return Presence(person, person.pk in online and person.shows_presence, position)


def _ask(reader: int, people: Sequence[int]) -> tuple[str, set[int]]:
    """The position of the reader's subscription, and who of these people is online after it."""
    try:
        return streams.positions([PRESENCE_STREAM, user_stream(reader)]), presence.online_among(people)
    except redis.RedisError as error:
        logger.warning("presence_unknown", error=repr(error))
        return "", set()
