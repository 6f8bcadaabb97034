"""Publish states that change often: at once, then at most once in so many seconds, and never without the last change.

    PACE = Pace("catalog.counts", seconds=1.0)

    @handler("catalog.counts")
    def publish_waiting(rows):
        return PACE.publish([row.key for row in rows], publish_counts)

Whoever notices a change calls the same in its handler and returns the children. A state that was published a moment ago
waits in the outbox for the end of its span: in PostgreSQL, where no killed worker and no lost Valkey can take it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from realtime.valkey import get_client
from recsys.outbox.keys import PACE
from recsys.outbox.rows import Child


@dataclass(frozen=True, slots=True)
class Pace:
    """The states of `topic`, each named by a key, are published at most once in `seconds`; `most` of them at a time.

    The topic's handler gets the keys that had to wait, as rows of type "settle".
    """

    topic: str
    seconds: float
    most: int = 200

    def publish(self, keys: Iterable[str], publish: Callable[[list[str]], None]) -> list[Child]:
        """Publish those of the states that may be; the children are for the others.

        `publish` reads what the states are now and appends them to streams. Raises what it raises, and
        redis.RedisError.
        """
        asked = list(dict.fromkeys(keys))
        began = time.monotonic()
        mine = self._claim(asked[: self.most])
        if mine:
            publish(mine)
        # Whoever took longer may have been overtaken by somebody who read later, and has put an old state on top.
        overtaken = time.monotonic() - began > self.seconds
        done = set() if overtaken else set(mine)
        return [Child(self.topic, key, "settle", every=self.seconds) for key in asked if key not in done]

    def _claim(self, keys: list[str]) -> list[str]:
        pipeline = get_client().pipeline(transaction=False)
        for key in keys:
            pipeline.set(PACE.key(topic=self.topic, key=key), 1, nx=True, px=int(self.seconds * 1000))
        return [key for key, is_mine in zip(keys, pipeline.execute(), strict=True) if is_mine]
