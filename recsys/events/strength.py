"""How much each kind of event says about a user's liking of an item; negative: against it.

The scale is a view's worth. In Python and in SQL, because features read a few events and training reads them all.
"""

from __future__ import annotations

from recsys.events.models import InteractionKind

VIEW, CLICK, LIKE, AGAINST = 1.0, 2.0, 4.0, -1.0
NEUTRAL_RATING = 2.5

# What a user says outright about an item; the newest of these outweighs whatever they merely looked at.
VERDICTS = (InteractionKind.LIKE, InteractionKind.RATE, InteractionKind.DISLIKE, InteractionKind.HIDE)

_OF_KIND: dict[str, float] = {
    InteractionKind.VIEW: VIEW,
    InteractionKind.CLICK: CLICK,
    InteractionKind.LIKE: LIKE,
    InteractionKind.DISLIKE: AGAINST,
    InteractionKind.HIDE: AGAINST,
}

# For a row of interactions; the same numbers as `strength()` gives.
STRENGTH_SQL = f"""CASE kind WHEN 'view' THEN {VIEW} WHEN 'click' THEN {CLICK} WHEN 'like' THEN {LIKE}
    WHEN 'rate' THEN CASE WHEN value > {NEUTRAL_RATING} THEN 2 * (value - {NEUTRAL_RATING}) ELSE {AGAINST} END
    ELSE {AGAINST} END"""


def strength(kind: str, value: float | None) -> float:
    """The strength of one event: a rating of 5 stars gives 5, of 3 stars 1, of 2.5 and fewer speaks against."""
    if kind == InteractionKind.RATE and value is not None:
        return 2 * (value - NEUTRAL_RATING) if value > NEUTRAL_RATING else AGAINST
    return _OF_KIND[kind]
