"""What one socket, and one user, may ask of a socket server; and the codes with which a socket is closed."""

from __future__ import annotations

import time
from enum import IntEnum

MAX_FRAME = 64 * 1024  # bytes of a message from a client
MAX_SUBSCRIPTIONS = 20  # of one socket
MAX_SOCKETS = 20  # of one user, in one process
MESSAGES_PER_SECOND = 10.0
MESSAGE_BURST = 40.0
MAX_REPLIES = 100  # messages other than events that wait to be sent
MAX_PENDING_EVENTS = 200  # of one subscription that wait to be sent; beyond, its reader is told to reload
MAX_PENDING_BYTES = 256 * 1024
STALLED = 15.0  # seconds after which a socket that takes nothing is dropped


class Close(IntEnum):
    """Codes from 4400 on are this product's. A client may come back, from its position, after those marked so."""

    GOING_AWAY = 1001  # may come back
    TOO_BIG = 1009
    TRY_LATER = 1013  # may come back
    BAD_MESSAGE = 4400
    NOT_LOGGED_IN = 4401
    FOREIGN_ORIGIN = 4403
    NO_SUCH_PATH = 4404
    TOO_SLOW = 4408  # may come back
    TOO_MANY = 4429  # may come back


class Allowance:
    """A token bucket for one socket's messages."""

    __slots__ = ("_left", "_seen")

    def __init__(self) -> None:
        self._left = MESSAGE_BURST
        self._seen = time.monotonic()

    def take(self) -> bool:
        """Whether one more message is within the rate."""
        now = time.monotonic()
        self._left = min(MESSAGE_BURST, self._left + (now - self._seen) * MESSAGES_PER_SECOND)
        self._seen = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
