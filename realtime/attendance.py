"""One process's part in knowing who is online: it says of its users that they are, and notices who is not any more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence

import redis
import redis.asyncio
import structlog
from django.db import DatabaseError, InterfaceError

from realtime import eager, presence, streams
from realtime.batches import in_database
from realtime.scripts import chunks

HEARTBEAT = 5.0  # seconds
ARRIVALS = 0.2  # seconds in which arrivals gather

logger = structlog.get_logger(__name__)


class Attendance:
    """`keep` runs as long as the process has connections."""

    def __init__(self, client: redis.asyncio.Redis, users: Callable[[], Sequence[int]]) -> None:
        self._client = client
        self._users = users
        self._arrived: set[int] = set()
        self._shown: set[int] = set()
        self._hidden: set[int] = set()
        self._untold: dict[int, bool] = {}  # users → online: Valkey answers each change once
        self._news = asyncio.Event()

    def arrived(self, user: int | None) -> None:
        """A user has connected here."""
        if user is not None:
            self._arrived.add(user)
            self._news.set()

    async def keep(self) -> None:
        """Say who is here: those who arrive soon after they do, and all of them each HEARTBEAT."""
        loop = asyncio.get_running_loop()
        all_at = loop.time() + HEARTBEAT
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(all_at):
                    await self._news.wait()
                    await asyncio.sleep(ARRIVALS)
            # Not only where nobody arrives: where somebody always does, the others would count as gone.
            if loop.time() >= all_at:
                self._arrived.update(self._users())
                all_at = loop.time() + HEARTBEAT
            self._news.clear()
            users, self._arrived = self._arrived, set()
            try:
                await eager.to_the_end(self._say(sorted(users)))
            except (redis.RedisError, OSError, DatabaseError, InterfaceError) as error:
                logger.warning("cannot_say_who_is_online", error=repr(error), users=len(users))

    async def _say(self, users: Sequence[int]) -> None:
        visible = await in_database("presence", presence.visible_among, users) if users else set()
        self._hidden |= self._shown.intersection(users) - visible
        self._shown = (self._shown | visible) & set(self._users())
        for part in list(chunks(sorted(visible))) or [[]]:
            came, went = presence.beat_answer(await self._client.eval(*presence.beat_arguments(part)))
            self._untold |= dict.fromkeys(came, True) | dict.fromkeys(went, False)
        self._hidden -= visible
        for user in self._hidden:
            self._untold.pop(user, None)
        await asyncio.to_thread(_tell, dict(self._untold), self._hidden)
        self._untold.clear()
        self._hidden.clear()


def _tell(changes: Mapping[int, bool], hidden: Iterable[int]) -> None:
    presence.do_forget(sorted(hidden))
    streams.append(presence.event_of(user, online) for user, online in changes.items())
