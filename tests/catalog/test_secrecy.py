"""Which items are hidden from somebody, on the word of rules from above."""

from __future__ import annotations

import pytest

from recsys.catalog import secrecy
from recsys.catalog.secrecy import hidden, hidden_items, register


@pytest.fixture(autouse=True)
def _no_rules(monkeypatch) -> None:
    monkeypatch.setattr(secrecy, "_rules", [])


def test_without_rules_nothing_is_hidden():
    assert hidden([(1, 7), (None, 8)]) == frozenset()
    assert hidden_items(1, [7, 8]) == frozenset()


def test_what_any_rule_hides_is_hidden_from_whom_it_says():
    register(lambda named: frozenset(one for one in named if one[1] == 7))
    register(lambda named: frozenset(named) & {(None, 8)})
    assert hidden([(1, 7), (1, 8), (None, 8), (None, 9)]) == {(1, 7), (None, 8)}
    assert hidden_items(1, [7, 8, 9]) == {7}
    assert hidden_items(None, [7, 8, 9]) == {7, 8}


def test_a_rule_registered_twice_is_asked_once_for_all():
    asked = []

    def rule(named):
        asked.append(set(named))
        return frozenset()

    register(rule)
    register(rule)
    hidden([(5, 1), (6, 1)])
    assert asked == [{(5, 1), (6, 1)}]
