"""Publish states that change often: at once, then at most once in so many seconds, and never without the last change.

    PACE = Pace("recommend.trending", seconds=2.0)

    # whoever notices a change, in a handler:
    return PACE.ask(regions)

    @handler("recommend.trending")
    def publish_dashboards(rows):
        return PACE.run(rows, publish)

A state that was published a moment ago waits in the outbox for the end of its span: in PostgreSQL, where no killed
worker and no lost Valkey can take it. What is read quickly is published by whoever notices (`publish`), without a row.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from realtime.valkey import get_client
from recsys.outbox.keys import PACE, READ
from recsys.outbox.rows import Child, Row

NOW, SETTLE = "now", "settle"  # types of a topic's rows: it is their turn; they had to wait

Publish = Callable[[list[str]], None]  # reads what the states of these keys are now, and appends them to streams


@dataclass(frozen=True, slots=True)
class Pace:
    """The states of `topic`, each named by a key, are published at most once in `seconds` (60 at the most)."""

    topic: str
    seconds: float

    def ask(self, keys: Iterable[str]) -> list[Child]:
        """The children that publish these states: as soon as may be. Raises redis.RedisError."""
        asked = list(dict.fromkeys(keys))
        mine = self._claim(asked)
        return [Child(self.topic, key, NOW) if key in mine else self._later(key) for key in asked]

    def publish(self, keys: Iterable[str], publish: Publish) -> list[Child]:
        """Publish those of the states that may be now; the children are for the others.

        Raises redis.RedisError, and what `publish` raises.
        """
        return self._publish(publish, now=(), waited=keys)

    def run(self, rows: Sequence[Row], publish: Publish) -> list[Child]:
        """Publish the states that the topic's rows ask for; otherwise as `publish`."""
        now = {row.key for row in rows if row.type == NOW}
        return self._publish(publish, now=now, waited={row.key for row in rows if row.type == SETTLE} - now)

    def _publish(self, publish: Publish, *, now: Collection[str], waited: Iterable[str]) -> list[Child]:
        asked = list(dict.fromkeys([*now, *waited]))
        mine = [*self._claim(list(now), by_force=True), *self._claim([key for key in asked if key not in now])]
        done: set[str] = set()
        if mine:
            token = self._begin(mine)
            publish(mine)
            # Somebody else may have begun after us and been quicker all the same: then ours, which is older, came last.
            newest = get_client().mget([READ.key(topic=self.topic, key=key) for key in mine])
            done = {key for key, reader in zip(mine, newest, strict=True) if reader == token}
        return [self._later(key) for key in asked if key not in done]

    def _later(self, key: str) -> Child:
        return Child(self.topic, key, SETTLE, every=self.seconds)

    def _claim(self, keys: Sequence[str], *, by_force: bool = False) -> list[str]:
        """Begin a span for those of the keys that are in none; with force, for all of them."""
        pipeline = get_client().pipeline(transaction=False)
        for key in keys:
            pipeline.set(PACE.key(topic=self.topic, key=key), 1, nx=not by_force, px=int(self.seconds * 1000))
        return [key for key, is_mine in zip(keys, pipeline.execute(), strict=True) if is_mine]

    def _begin(self, keys: Sequence[str]) -> bytes:
        """Say that these states are read from now on; the token tells this reading from others."""
        token = secrets.token_hex(8)
        pipeline = get_client().pipeline(transaction=False)
        for key in keys:
            pipeline.set(READ.key(topic=self.topic, key=key), token, ex=READ.ttl)
        pipeline.execute()
        return token.encode()
