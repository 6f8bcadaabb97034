"""What one connection, one user and one address may ask of a socket server."""

from __future__ import annotations

import time
from collections import OrderedDict

MAX_FRAME = 64 * 1024  # bytes of a message in either direction, and of a body
MAX_SUBSCRIPTIONS = 60  # of one connection, which several tabs may share
MAX_CONNECTIONS = 20  # of one user, in one process
MESSAGES_PER_SECOND = 10.0
MESSAGE_BURST = 40.0
MAX_REPLIES = 100  # messages other than events that wait to be sent
COALESCED = 50  # events of one subscription that wait to be sent; beyond, those that say the same become one
MAX_PENDING_EVENTS = 200  # beyond, its reader is told to reload
MAX_PENDING_BYTES = 256 * 1024
IDLE = 120.0  # seconds that a socket without a subscription may stay
STALLED = 15.0  # seconds after which a connection that takes nothing is dropped
LONGEST_WAIT = 25.0  # seconds of a long poll
PING_AFTER = 20.0  # seconds of silence of a stream of server-sent events
MAX_ADDRESSES = 10_000  # whose rates are known; of more, the last seen
BURST_SECONDS = 10  # of an address's rate of new connections that may come at once


class Allowance:
    """A token bucket: `rate` a second, and `burst` at once."""

    __slots__ = ("_burst", "_left", "_rate", "_seen")

    def __init__(self, rate: float = MESSAGES_PER_SECOND, burst: float = MESSAGE_BURST) -> None:
        self._rate = rate
        self._burst = self._left = burst
        self._seen = time.monotonic()

    def take(self) -> bool:
        """Whether one more is within the rate."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._seen) * self._rate)
        self._seen = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Addresses:
    """The rates at which addresses open connections."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._allowances: OrderedDict[str, Allowance] = OrderedDict()

    def take(self, address: str) -> bool:
        """Whether one more connection of this address is within the rate."""
        allowance = self._allowances.pop(address, None) or Allowance(self._rate, BURST_SECONDS * self._rate)
        self._allowances[address] = allowance
        if len(self._allowances) > MAX_ADDRESSES:
            self._allowances.popitem(last=False)
        return allowance.take()
