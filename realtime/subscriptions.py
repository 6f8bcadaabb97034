"""Which streams a user may read: each app registers a rule for each *kind* of subscription that it offers.

A client never names a stream. It asks for a kind ("timeline") with an optional argument, and the rule derives the names
from the user. Register in `AppConfig.ready()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody asks for a kind of subscription. `user` is the id of an active account, or None for a visitor."""

    user: int | None
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """Passes the events of a stream whose `field` is one of `values`; with `inside=False`, those where it is not.

    For streams that many share and each reads a part of. An event without the field passes.
    """

    field: str
    values: frozenset[int]
    inside: bool = True

    def passes(self, event: Mapping[str, Any]) -> bool:
        value = event.get(self.field)
        return value is None or (value in self.values) is self.inside


@dataclass(frozen=True, slots=True)
class Grant:
    """The streams that a request gets, and the filters of those that are not for this reader as a whole."""

    names: list[str]
    filters: Mapping[str, Filter] = field(default_factory=dict)


# Requests → for each, in order, what it gets, or None: no such thing, or not for this user. May query the database;
# many requests come at once when a server has restarted, so it asks for all of them together.
Rule = Callable[[Sequence[Request]], Iterable[Grant | None]]

_rules: dict[str, Rule] = {}


def register(kind: str, rule: Rule) -> None:
    """Let clients subscribe to `kind`. Registering another rule for a kind is an error in the program."""
    if _rules.setdefault(kind, rule) is not rule:
        raise ValueError(f"The subscription kind {kind!r} has a rule already: {_rules[kind]!r}.")


def grants(kind: str, requests: Sequence[Request]) -> list[Grant | None]:
    """What each of these requests for one kind gets; None where the kind is unknown or it is denied."""
    rule = _rules.get(kind)
    return [None] * len(requests) if rule is None else list(rule(requests))


def knows(kind: str) -> bool:
    """Whether there is a rule for this kind."""
    return kind in _rules


def kinds() -> list[str]:
    """The kinds that there are rules for, in alphabetical order."""
    return sorted(_rules)
