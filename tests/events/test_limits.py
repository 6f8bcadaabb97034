"""How fast a browser may act: each kind is counted by itself, for each user and minute."""

from __future__ import annotations

import pytest

from recsys.events import limits
from recsys.events.limits import seconds_to_wait

NOON = 43_200.0


@pytest.fixture(autouse=True)
def _few(monkeypatch) -> None:
    monkeypatch.setattr(limits, "EVENTS_A_MINUTE", 3)
    monkeypatch.setattr(limits, "POSTS_A_MINUTE", 2)
    monkeypatch.setattr(limits, "SIGNALS_A_MINUTE", 4)


@pytest.mark.parametrize(("what", "most"), [("event", 3), ("post", 2), ("signal", 4)])
def test_each_kind_has_its_own_bound(what, most):
    waits = [seconds_to_wait(1, what=what, now=NOON + 10) for _ in range(most + 1)]
    assert waits == [0] * most + [50]


def test_users_kinds_and_minutes_do_not_share():
    for _ in range(4):
        seconds_to_wait(1, now=NOON)
    assert seconds_to_wait(1, now=NOON) == 60
    assert seconds_to_wait(1, what="post", now=NOON) == 0
    assert seconds_to_wait(2, now=NOON) == 0
    assert seconds_to_wait(1, now=NOON + 60) == 0


def test_nobody_waits_while_valkey_is_away(settings):
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    assert [seconds_to_wait(1, now=NOON) for _ in range(5)] == [0] * 5
