from __future__ import annotations

from types import SimpleNamespace

import pytest

from realtime.closing import Closed
from realtime.limits import Addresses
from realtime.roster import Roster
from realtime.visitors import Visitor


@pytest.fixture
def roster() -> Roster:
    return Roster(Addresses(rate=50))


def listener(address: str = "192.0.2.1", user: int | None = None) -> SimpleNamespace:
    return _Listener(visitor=Visitor(user), address=address, transport="websocket")


class _Listener(SimpleNamespace):
    __hash__ = object.__hash__  # type: ignore[assignment]


def test_everybody_has_a_turn_before_anybody_has_a_second(roster):
    first, second, third = (listener() for _ in range(3))
    for one in (first, second, third):
        roster.add(one)
    assert roster.take_turn(2) == [first, second]
    late = listener()
    roster.add(late)
    roster.remove(second)
    assert roster.take_turn(2) == [third, first]
    assert roster.take_turn(5) == [late, third, first]


def test_who_asked_at_the_same_time_is_counted_when_they_are_let_in(roster, settings):
    settings.REALTIME_CONNECTIONS_PER_ADDRESS = 1
    roster.check_address("192.0.2.1")
    roster.check_address("192.0.2.1")
    roster.add(listener())
    with pytest.raises(Closed, match="too many connections"):
        roster.add(listener())
    roster.add(listener("192.0.2.2"))
