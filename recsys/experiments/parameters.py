"""What a variant may set. Serving declares its parameters here (in `AppConfig.ready`), each with the check it obeys.

A registry, because serving stands above this package: it knows experiments, and they don't know it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

Check = Callable[[object], list[str]]


@dataclass(frozen=True)
class Parameter:
    """`check` answers what is wrong with a value, one sentence each; `describe` tells staff what it does."""

    name: str
    describe: str
    check: Check


_declared: dict[str, Parameter] = {}


def declare(parameter: Parameter) -> None:
    """Let variants set `parameter`. Declaring a name again replaces it."""
    _declared[parameter.name] = parameter


def declared() -> list[Parameter]:
    """All parameters that variants may set, by name."""
    return sorted(_declared.values(), key=lambda parameter: parameter.name)


def check_parameters(parameters: object) -> list[str]:
    """What is wrong with a variant's `parameters`, one sentence each; empty where nothing is."""
    if not isinstance(parameters, Mapping):
        return ['Parameters must be a JSON object, for example {"count": 20}.']
    errors = []
    for name, value in parameters.items():
        if name in _declared:
            errors += [f"{name}: {error}" for error in _declared[name].check(value)]
        else:
            errors.append(f"{_quoted(name)} is not a parameter. The parameters are: {', '.join(sorted(_declared))}.")
    return errors


def weights_of(names: Callable[[], Collection[str]]) -> Check:
    """A check for an object of weights: numbers from 0 up under names out of `names()`, at least one above 0."""

    def check(value: object) -> list[str]:
        allowed = sorted(names())
        if not isinstance(value, Mapping):
            return [f'must be an object, for example {{"{allowed[0]}": 1.0}}.']
        unknown = [name for name in value if name not in allowed]
        errors = [f"{_quoted(name)} is not known. The names are: {', '.join(allowed)}." for name in unknown]
        wrong = [name for name, weight in value.items() if name in allowed and not _is_number(weight, low=0)]
        errors += [f"{name} must be a number from 0 up." for name in wrong]
        if not errors and not any(weight > 0 for weight in value.values()):
            errors.append("at least one weight must be above 0.")
        return errors

    return check


def number(low: float, high: float) -> Check:
    """A check for a number from `low` to `high`."""

    def check(value: object) -> list[str]:
        return [] if _is_number(value, low, high) else [f"must be a number from {low:g} to {high:g}."]

    return check


def whole_number(low: int, high: int) -> Check:
    """A check for a whole number from `low` to `high`."""

    def check(value: object) -> list[str]:
        fits = _is_number(value, low, high) and isinstance(value, int)
        return [] if fits else [f"must be a whole number from {low} to {high}."]

    return check


def _is_number(value: object, low: float, high: float = 1e6) -> bool:
    # JSON's true is Python's 1. NaN, which Python's JSON reads and jsonb refuses, is not above anything.
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _quoted(name: object) -> str:
    """A name from outside, short and printable, for a message."""
    return repr(str(name)[:40])
