"""What a stream brought, made ready once for all of its readers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import orjson

from realtime.scripts import Position

# Written by workers into a user's own stream when the rules may give other streams now (after a follow, say). It is for
# the server, and is not passed on.
RESUBSCRIBE = "resubscribe"
_RESUBSCRIBE = RESUBSCRIBE.encode()


class News:
    """Events of a stream, without gap up to `until`; those that come after `since` are all here, if that is known.

    `renewal` is the position of the last resubscribe event among them, or None where there is none.
    """

    def __init__(self, events: Sequence[bytes], until: Position | None = None, since: Position | None = None) -> None:
        self.until = until
        self.since = since
        self.all = events
        self.renewal: str | None = None
        if any(_RESUBSCRIBE in event for event in events):
            events = [event for event in events if not self._is_renewal(event)]
        self.texts = [event.decode() for event in events]
        self.size = sum(map(len, events))

    def _is_renewal(self, event: bytes) -> bool:
        if _RESUBSCRIBE not in event or (body := orjson.loads(event))["type"] != RESUBSCRIBE:
            return False
        self.renewal = str(body.get("position") or "")
        return True

    @cached_property
    def parsed(self) -> list[dict[str, Any]]:
        """The events, for the filters that look into them."""
        return [orjson.loads(text) for text in self.texts]
