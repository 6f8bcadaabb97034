"""Which items somebody must not even learn of. What keeps people apart is known above this app, which registers a rule
for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

# A user's id (None: a visitor) and items, to those of them that are hidden.
Rule = Callable[[int | None, Collection[int]], frozenset[int]]

_rules: list[Rule] = []


def register(rule: Rule) -> None:
    """Add a rule. It is asked once whenever somebody names items, so it should be one query."""
    if rule not in _rules:
        _rules.append(rule)


def hidden_items(user_id: int | None, items: Collection[int]) -> frozenset[int]:
    """Those of the items that are, for this user, as if there were none."""
    return frozenset().union(*(rule(user_id, items) for rule in _rules))


def may_read_withheld(user: Any) -> bool:
    """Whether somebody of the staff may read, in the admin, what is not for everybody: the words of posts for few."""
    return bool(user.has_perm("feeds.view_post"))  # the name of a right only; this app stands below the feeds
