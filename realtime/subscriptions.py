"""Which streams a user may read: each app registers a rule for each *kind* of subscription that it offers.

A client never names a stream. It asks for a kind ("timeline") with an optional argument, and the rule derives the names
from the user. Register in `AppConfig.ready()`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# (user, argument) → names of streams, or None: no such thing, or not for this user. May query the database.
Rule = Callable[[Any, str], list[str] | None]

_rules: dict[str, Rule] = {}


def register(kind: str, rule: Rule) -> None:
    """Let clients subscribe to `kind`. Registering another rule for a kind is an error in the program."""
    if _rules.setdefault(kind, rule) is not rule:
        raise ValueError(f"The subscription kind {kind!r} has a rule already: {_rules[kind]!r}.")


def streams_for(kind: str, user: Any, argument: str = "") -> list[str] | None:
    """The streams that `user` gets for `kind` and `argument`; None where the kind is unknown or it is denied."""
    rule = _rules.get(kind)
    return None if rule is None else rule(user, argument)
