"""Which items somebody must not even learn of. What keeps people apart is known above this app, which registers a rule
for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

# Who names an item: a user's id (None: a visitor), and the item's.
Naming = tuple[int | None, int]
# Those of them in which the item is hidden from the user.
Rule = Callable[[Collection[Naming]], frozenset[Naming]]

_rules: list[Rule] = []


def register(rule: Rule) -> None:
    """Add a rule. It is asked once however many people name items, so it should be one query."""
    if rule not in _rules:
        _rules.append(rule)


def hidden(named: Collection[Naming]) -> frozenset[Naming]:
    """Those of the namings whose item is, for whoever names it, as if there were none."""
    return frozenset().union(*(rule(named) for rule in _rules))


def hidden_items(user_id: int | None, items: Collection[int]) -> frozenset[int]:
    """Those of the items that are, for this user, as if there were none."""
    return frozenset(item for _, item in hidden([(user_id, item) for item in items]))


def may_read_withheld(user: Any) -> bool:
    """Whether somebody of the staff may read, in the admin, what is not for everybody: the words of posts for few."""
    return bool(user.has_perm("feeds.view_post"))  # the name of a right only; this app stands below the feeds
