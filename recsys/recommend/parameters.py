"""What an experiment's variant may set in serving."""

from __future__ import annotations

from collections.abc import Mapping

from recsys.experiments.parameters import Parameter, declare, weights_of
from recsys.recommend.ranking import DEFAULT_WEIGHTS

_check_weights = weights_of(lambda: DEFAULT_WEIGHTS)


def declare_parameters() -> None:
    """Let variants set what serving understands."""
    declare(
        Parameter(
            name="weights",
            describe='How much each source counts, for instance {"cf": 1.0, "trending": 0.2}; others keep their own.',
            check=_check_weights,
        )
    )


def usable_weights(parameters: Mapping[str, object]) -> tuple[dict[str, float], list[str]]:
    """The weights to blend by, and what was wrong with those of `parameters`, which are then left aside.

    The admin refuses wrong ones; but whatever is in the table, a page must come.
    """
    given = parameters.get("weights")
    if given is None:
        return dict(DEFAULT_WEIGHTS), []
    if wrong := _check_weights(given):
        return dict(DEFAULT_WEIGHTS), wrong
    assert isinstance(given, Mapping)
    return DEFAULT_WEIGHTS | {name: float(weight) for name, weight in given.items()}, []
