"""What clients say to the readers of a subscription and nobody keeps ("Ana is typing").

A client names a kind of subscription, its argument and a signal; the rule that an app registered for it decides whether
this user may say that, and derives streams and events. Register in `AppConfig.ready()`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# (user, argument) → (stream, event) pairs to append, or None: no such thing, or not for this user. Nothing to say is
# an empty list (the user hides it, say). May query the database.
SignalRule = Callable[[int | None, str], list[tuple[str, dict[str, Any]]] | None]

_rules: dict[tuple[str, str], SignalRule] = {}


def register(kind: str, name: str, rule: SignalRule) -> None:
    """Let clients signal `name` to `kind`. Registering another rule for the same is an error in the program."""
    if _rules.setdefault((kind, name), rule) is not rule:
        raise ValueError(f"The signal {name!r} of {kind!r} has a rule already: {_rules[kind, name]!r}.")


def events_of(kind: str, name: str, user: int | None, argument: str) -> list[tuple[str, dict[str, Any]]] | None:
    """What a signal says to which streams; None where there is no such signal or it is denied."""
    rule = _rules.get((kind, name))
    return None if rule is None else rule(user, argument)
