"""Whose items somebody must not be recommended. What people mean to one another is known above this app, which
registers a rule for it.
"""

from __future__ import annotations

from collections.abc import Callable

Rule = Callable[[int], frozenset[int]]  # a user's id to those of people

_rules: list[Rule] = []


def register(rule: Rule) -> None:
    """Add a rule. It is asked once for each slate, so it should be one query."""
    if rule not in _rules:
        _rules.append(rule)


def unwanted_creators(user_id: int | None) -> frozenset[int]:
    """The people whose items are not for this user: themselves, and whom the rules name. Nobody for a visitor."""
    if user_id is None:
        return frozenset()
    return frozenset({user_id}).union(*(rule(user_id) for rule in _rules))
