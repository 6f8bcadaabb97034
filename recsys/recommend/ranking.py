"""From what the sources propose to one ranked list: blend, then spread over categories and creators."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from recsys.recommend.candidates import Candidate

DEFAULT_WEIGHTS: dict[str, float] = {
    "cf": 1.0, "content": 0.5, "trending": 0.3, "popular": 0.1, "new": 0.05,
    "affinity": 0.8, "fresh": 0.4,  # which only rank what is given
}  # fmt: skip
DIVERSE_SHARE = 0.4  # of a slate that one category, or one creator, may fill while others have something to show

T = TypeVar("T")


@dataclass(frozen=True)
class Ranked:
    """A proposed item: `score` sums up `scores` (by source, weight times normalised score); `source` gave most."""

    item_id: int
    score: float
    scores: dict[str, float]
    source: str
    candidate: Candidate


def blend(proposed: Mapping[str, Sequence[Candidate]], weights: Mapping[str, float]) -> list[Ranked]:
    """Rank all candidates by the weighted sum of their scores, each source's scores divided by its largest.

    Sources of weight 0 take no part. Ties go to the smaller id, so that the same input always gives the same list.
    """
    parts: dict[int, dict[str, tuple[float, Candidate]]] = {}
    for source, candidates in proposed.items():
        weight = weights.get(source, 0.0)
        most = max((one.score for one in candidates), default=0.0)
        if weight <= 0 or most <= 0:
            continue
        for one in candidates:
            parts.setdefault(one.item_id, {})[source] = (weight * max(one.score, 0.0) / most, one)
    ranked = [_ranked(item_id, by_source) for item_id, by_source in parts.items()]
    return sorted(ranked, key=lambda one: (-one.score, one.item_id))


def _ranked(item_id: int, by_source: dict[str, tuple[float, Candidate]]) -> Ranked:
    source = max(by_source, key=lambda name: by_source[name][0])
    scores = {name: round(score, 6) for name, (score, _) in by_source.items()}
    total = math.fsum(score for score, _ in by_source.values())
    return Ranked(item_id, total, scores, source, by_source[source][1])


def diversify(ranked: Sequence[T], count: int, groups: Sequence[Callable[[T], object]]) -> list[T]:
    """The first `count` of `ranked`, but of each group (a falsy one is no group) at most DIVERSE_SHARE of the slate, as
    long as others can fill it."""
    most = max(1, math.ceil(count * DIVERSE_SHARE))
    taken: list[T] = []
    passed: list[T] = []
    used: Counter[tuple[int, object]] = Counter()
    for one in ranked:
        keys = [(index, key) for index, group in enumerate(groups) if (key := group(one))]
        if len(taken) == count:
            break
        if any(used[key] >= most for key in keys):
            passed.append(one)
        else:
            used.update(keys)
            taken.append(one)
    return taken + passed[: count - len(taken)]


def diversify_pages(ranked: Sequence[T], count: int, page: int, groups: Sequence[Callable[[T], object]]) -> list[T]:
    """The first `count` of `ranked`, each `page` of them diversified by itself, since that is what a reader sees."""
    taken: list[T] = []
    rest = list(ranked)
    while rest and len(taken) < count:
        part = diversify(rest, min(page, count - len(taken)), groups)
        chosen = {id(one) for one in part}
        rest = [one for one in rest if id(one) not in chosen]
        taken += part
    return taken
