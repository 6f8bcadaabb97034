"""The connections of one process, counted by user and by address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from django.conf import settings
from prometheus_client import Gauge

from realtime.closing import Close, Closed
from realtime.limits import MAX_CONNECTIONS, Addresses
from realtime.subscription import Subscription
from realtime.visitors import Visitor

CONNECTIONS = Gauge("tributary_realtime_connections", "Open connections.", ["transport"], multiprocess_mode="livesum")


class Listener(Protocol):
    """What the hub wants of a connection (see `connection.py`). No call may block."""

    visitor: Visitor
    address: str
    transport: str

    def has_news(self, subscription: Subscription) -> None:
        """`subscription` has something to send, or asks to be renewed."""

    def end(self, why: Closed) -> None:
        """Close the connection."""

    def look(self, now: float) -> None:
        """Notice what time has done to it; called every few seconds, with the event loop's time."""


class Roster:
    """Who is connected here, and whether one more may be."""

    def __init__(self, arrivals: Addresses) -> None:
        self._listeners: dict[Listener, None] = {}  # in the order of their turns
        self._users: Counter[int] = Counter()
        self._addresses: Counter[str] = Counter()
        self._arrivals = arrivals

    def __iter__(self) -> Iterator[Listener]:
        return iter(list(self._listeners))

    def __len__(self) -> int:
        return len(self._listeners)

    @property
    def users(self) -> list[int]:
        """Users who are connected here."""
        return list(self._users)

    def take_turn(self, count: int) -> list[Listener]:
        """The `count` connections that were not taken for longest, or came first."""
        turn = list(islice(self._listeners, count))
        for listener in turn:
            self._listeners[listener] = self._listeners.pop(listener)
        return turn

    def has_no_other(self, listener: Listener) -> bool:
        """Whether nobody but this one is connected here."""
        return len(self._listeners) == (listener in self._listeners)

    def check_address(self, address: str) -> None:
        """Raise Closed where this address has or opens too many connections. Before anything is asked of anybody."""
        if not self._arrivals.take(address):
            raise Closed(Close.TOO_MANY, f"Your address {address} opens connections too quickly.")
        self._check_number(address)

    def _check_number(self, address: str) -> None:
        if self._addresses[address] >= settings.REALTIME_CONNECTIONS_PER_ADDRESS:
            raise Closed(Close.TOO_MANY, f"Your address {address} has too many connections.")

    def check_user(self, user: int | None) -> None:
        """Raise Closed where this user has too many connections."""
        if user is not None and self._users[user] >= MAX_CONNECTIONS:
            raise Closed(Close.TOO_MANY, f"You have {MAX_CONNECTIONS} connections open already.")

    def add(self, listener: Listener) -> bool:
        """Add a connection; whether it is its user's first one here. Raises Closed where there are too many."""
        self._check_number(listener.address)  # once more: many may have been asking who they are at the same time
        self.check_user(listener.visitor.user_id)
        self._listeners[listener] = None
        self._addresses[listener.address] += 1
        CONNECTIONS.labels(listener.transport).inc()
        return self._count(listener.visitor.user_id, 1)

    def remove(self, listener: Listener) -> None:
        if listener not in self._listeners:
            return
        del self._listeners[listener]
        self._addresses[listener.address] -= 1
        if not self._addresses[listener.address]:
            del self._addresses[listener.address]
        CONNECTIONS.labels(listener.transport).dec()
        self._count(listener.visitor.user_id, -1)

    def change(self, listener: Listener, visitor: Visitor) -> bool:
        """Let a connection be somebody's; whether it is that user's first one here. Raises as `add`."""
        if visitor.user_id == listener.visitor.user_id:
            listener.visitor = visitor
            return False
        self.check_user(visitor.user_id)
        self._count(listener.visitor.user_id, -1)
        listener.visitor = visitor
        return self._count(visitor.user_id, 1)

    def _count(self, user: int | None, by: int) -> bool:
        if user is None:
            return False
        self._users[user] += by
        if not self._users[user]:
            del self._users[user]
        return self._users.get(user) == by == 1
