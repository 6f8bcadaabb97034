"""Recommendations for one request: ask the sources, blend, spread, explain, keep."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events.features import History, RecentItem, user_history
from recsys.events.models import InteractionKind
from recsys.events.strength import LIKE
from recsys.experiments.assignment import assign, merged_parameters
from recsys.recommend import reasons
from recsys.recommend.candidates import Ask
from recsys.recommend.creators import unwanted_creators
from recsys.recommend.gathering import Gathered, gather
from recsys.recommend.metrics import slate_seconds, slates
from recsys.recommend.parameters import usable_weights
from recsys.recommend.ranking import Ranked, blend, diversify_pages
from recsys.recommend.serving import serving_versions
from recsys.recommend.slates import ServedEntry, ServedSlate, do_save_slate
from recsys.recommend.sources import ALL, Source
from recsys.recommend.sources.given import (
    Affinity,
    AsGiven,
    Fresh,
    Given,
    GivenCollaborative,
    GivenContent,
    GivenHeat,
)

MAX_COUNT = 100
POOL = 100  # candidates of each source

FOR_YOU, SIMILAR, TRENDING, TOP = "for_you", "similar", "trending", "top"
_SOURCES: dict[str, tuple[str, ...]] = {
    FOR_YOU: ("cf", "content", "trending", "popular"),
    SIMILAR: ("cf", "content"),
    TRENDING: ("trending",),
}
_FILLERS: dict[str, tuple[str, ...]] = {
    FOR_YOU: ("new",),
    SIMILAR: ("popular", "new"),
    TRENDING: ("popular", "new"),
}
_NO_HISTORY = History(recent=[], seen=frozenset(), hidden=frozenset())


def recommend(
    *,
    user: User | None,
    region: str,
    count: int = 10,
    surface: str = FOR_YOU,
    exclude: Iterable[int] = (),
    kind: str = "",
    sources: Mapping[str, Source] = ALL,
) -> ServedSlate:
    """Up to `count` (at most MAX_COUNT) items for `user` (None: nobody known) in `region`, of `kind` ("": any).

    Nothing that the user has seen, hidden, disliked or made, nor what `exclude` names.
    """
    request = _for_you(user, region, count, surface=surface, exclude=exclude, kind=kind)
    return _serve(request, _pick(sources, _SOURCES, request.surface), _pick(sources, _FILLERS, request.surface))


def would_recommend(
    *, user: User, counts: Sequence[int], surface: str = FOR_YOU, sources: Mapping[str, Source] = ALL
) -> list[list[int]]:
    """The ids of the items that `recommend` would show the user now in their region, for each of these counts.

    Nothing is kept, and nobody counts as exposed to an experiment.
    """
    request = _for_you(user, user.region, max(counts), surface=surface)
    slates = _preview(request, counts, sources)
    return [[entry.item.pk for entry in entries] for entries in slates]


def would_trend(*, region: str, counts: Sequence[int], sources: Mapping[str, Source] = ALL) -> list[list[ServedEntry]]:
    """What `trending` would show a visitor now, for each of these counts; nothing is kept."""
    request = _Request(None, TRENDING, max(counts), recent=(), excluded=frozenset(), region=region)
    return _preview(request, counts, sources)


def similar(
    *,
    item: Item,
    user: User | None = None,
    count: int = 10,
    kind: str = "",
    region: str | None = None,
    sources: Mapping[str, Source] = ALL,
) -> ServedSlate:
    """Items like `item`, in its words or its public; not what `user` hid or disliked, but also what they have seen."""
    past = RecentItem(item.pk, InteractionKind.LIKE, None, datetime.now(UTC), LIKE)
    history = user_history(user.pk) if user else _NO_HISTORY
    request = _Request(
        user=user,
        surface=SIMILAR,
        count=_fit(count),
        recent=(past,),
        excluded=history.hidden | {item.pk},
        region=(user.region if user else "") if region is None else region,
        kind=kind,
        subject=item,
    )
    return _serve(request, _pick(sources, _SOURCES, request.surface), _pick(sources, _FILLERS, request.surface))


def trending(
    *,
    region: str,
    count: int = 10,
    user: User | None = None,
    kind: str = "",
    hidden: frozenset[int] | None = None,
    sources: Mapping[str, Source] = ALL,
) -> ServedSlate:
    """What trends in `region`, then in the wider ones; filled up with what is popular where little trends.

    Nothing that the user hid or disliked; `hidden` names these where they are known already.
    """
    excluded = hidden
    if excluded is None:
        excluded = user_history(user.pk).hidden if user else frozenset()
    request = _Request(user, TRENDING, _fit(count), recent=(), excluded=excluded, region=region, kind=kind)
    return _serve(request, _pick(sources, _SOURCES, request.surface), _pick(sources, _FILLERS, request.surface))


def rank(*, user: User, items: Sequence[Given], region: str, count: int = MAX_COUNT, page: int = 20) -> ServedSlate:
    """The best `count` of `items` (newest first), for `user`, who reads them `page` at a time; kept like every slate.

    By what the reader and others like them took up, by whose things they take up, by what trends and by age. Nothing
    that the user has seen or hidden, nor what speaks of what they hid. Where nothing is known of the user:
    newest first, and `served_by` is "fresh".
    """
    history = user_history(user.pk)
    left_out = history.seen | history.hidden
    kept = [one for one in items if not {one.item_id, one.shown} & left_out and one.about not in history.hidden]
    request = _Request(
        user=user,
        surface=TOP,
        count=_fit(count),
        recent=tuple(history.recent),
        excluded=left_out,
        region=region,
        page=page,
    )
    signals = (GivenCollaborative(kept), GivenContent(kept), GivenHeat(kept), Affinity(kept), Fresh(kept))
    return _serve(request, signals, [AsGiven(kept)])


@dataclass(frozen=True)
class _Request:
    user: User | None
    surface: str
    count: int
    recent: tuple[RecentItem, ...]
    excluded: frozenset[int]
    region: str
    kind: str = ""
    subject: Item | None = None  # the item whose page it is
    page: int | None = None  # how many are shown at a time, if not all

    @property
    def user_id(self) -> int | None:
        return self.user.pk if self.user else None


def _for_you(
    user: User | None, region: str, count: int, *, surface: str, exclude: Iterable[int] = (), kind: str = ""
) -> _Request:
    history = user_history(user.pk) if user else _NO_HISTORY
    return _Request(
        user=user,
        surface=surface,
        count=_fit(count),
        recent=tuple(history.recent),
        excluded=history.seen | history.hidden | frozenset(exclude),
        region=region,
        kind=kind,
    )


def _preview(request: _Request, counts: Sequence[int], sources: Mapping[str, Source]) -> list[list[ServedEntry]]:
    """The entries that slates of these lengths would have: how they are spread depends on the length."""
    weights, _ = usable_weights(merged_parameters(assign(request.user_id, request.surface, expose=False)))
    ask = _ask(request)
    proposed = blend(gather(_pick(sources, _SOURCES, request.surface), ask).proposed, weights)
    filled = proposed
    if len(proposed) < request.count:
        filled = _fill(proposed, gather(_pick(sources, _FILLERS, request.surface), ask), weights)
    return [
        _entries(
            replace(request, count=_fit(count)), proposed if len(proposed) >= _fit(count) else filled, ask.unwanted
        )
        for count in counts
    ]


def _serve(request: _Request, sources: Sequence[Source], fillers: Sequence[Source]) -> ServedSlate:
    began = time.perf_counter()
    assignments = assign(request.user_id, request.surface)
    weights, ignored = usable_weights(merged_parameters(assignments))
    ask = _ask(request)
    gathered = gather(sources, ask)
    ranked = blend(gathered.proposed, weights)
    if len(ranked) < request.count:
        filler = gather(fillers, ask)
        ranked = _fill(ranked, filler, weights)
        gathered.left_out |= filler.left_out
        gathered.milliseconds |= filler.milliseconds
    entries = _entries(request, ranked, ask.unwanted)
    seconds = time.perf_counter() - began
    served_by = _served_by(entries)
    trace: dict[str, Any] = {
        "served_by": served_by,
        "left_out": gathered.left_out,
        "models": ask.models,
        "variants": {one.experiment_key: one.variant_key for one in assignments},
        "weights": weights,
        "candidates": {name: len(found) for name, found in gathered.proposed.items()},
        "milliseconds": {**gathered.milliseconds, "total": round(seconds * 1000, 2)},
    }
    if ignored:
        trace["ignored_parameters"] = ignored
    served = ServedSlate(uuid.uuid4(), entries, served_by, trace)
    do_save_slate(served=served, user_id=request.user_id, surface=request.surface, region=request.region)
    # Partners name surfaces as they like, and each label's value lives for ever.
    label = request.surface if request.surface in (*_SOURCES, TOP) else "other"
    slates.labels(label, served_by.split(",")[0]).inc()
    slate_seconds.labels(label).observe(time.perf_counter() - began)
    return served


def _ask(request: _Request) -> Ask:
    return Ask(
        user_id=request.user_id,
        region=request.region,
        limit=max(POOL, 2 * request.count),
        recent=request.recent,
        excluded=request.excluded,
        unwanted=unwanted_creators(request.user_id),
        kind=request.kind,
        models=serving_versions(),
    )


def _pick(sources: Mapping[str, Source], names: Mapping[str, Sequence[str]], surface: str) -> list[Source]:
    """The sources of a surface; one that is not known is served like the general one."""
    return [sources[name] for name in names.get(surface, names[FOR_YOU]) if name in sources]


def _fill(ranked: Sequence[Ranked], filler: Gathered, weights: Mapping[str, float]) -> list[Ranked]:
    """`ranked`, and behind it what the fillers propose besides."""
    known = {one.item_id for one in ranked}
    return [*ranked, *(one for one in blend(filler.proposed, weights) if one.item_id not in known)]


def _entries(request: _Request, ranked: Sequence[Ranked], unwanted: frozenset[int]) -> list[ServedEntry]:
    pool = ranked[: 4 * request.count]
    anchors = {one.candidate.anchor_id for one in pool} - {None}
    items = Item.objects.select_related("creator").in_bulk([*(one.item_id for one in pool), *filter(None, anchors)])
    present = [one for one in pool if one.item_id in items]
    groups: list[Callable[[Ranked], object]] = [
        lambda one: items[one.item_id].category,
        lambda one: items[one.item_id].creator_id,
    ]
    if {one.source for one in present} == {Fresh.name}:
        groups = []  # nothing is known: newest first, as it is
    chosen = diversify_pages(present, request.count, request.page or request.count, groups)
    did = {one.item_id: one.kind for one in request.recent}
    others = unwanted - {request.user_id}
    # What the reader took up once may not be theirs to see any more: then it is no reason that can be named.
    named = {pk: item for pk, item in items.items() if not item.is_withheld and item.creator_id not in others}
    return [
        _entry(request, one, position, items[one.item_id], named, did.get(one.candidate.anchor_id or 0, ""))
        for position, one in enumerate(chosen)
    ]


def _entry(
    request: _Request, one: Ranked, position: int, item: Item, named: Mapping[int, Item], did: str
) -> ServedEntry:
    anchor = named.get(one.candidate.anchor_id) if one.candidate.anchor_id else None
    if request.subject and one.source in ("cf", "content"):
        reason = reasons.similar_to(request.subject, one.source)
    elif anchor and one.source == Affinity.name:
        reason = reasons.of_creator(anchor, did)
    elif anchor:
        reason = reasons.because_of(anchor, did)
    elif one.candidate.region is not None:
        reason = reasons.trending_in(one.candidate.region)
    else:
        reason = {"new": reasons.NEW, Fresh.name: reasons.FRESH}.get(one.source, reasons.POPULAR)
    return ServedEntry(item, one.source, reason, anchor, one.score, position, one.scores)


def _served_by(entries: Sequence[ServedEntry]) -> str:
    counts: dict[str, int] = {}
    for entry in entries:
        counts[entry.source] = counts.get(entry.source, 0) + 1
    return ",".join(sorted(counts, key=lambda name: (-counts[name], name))) or "none"


def _fit(count: int) -> int:
    return min(max(count, 1), MAX_COUNT)


__all__ = [
    "Gathered", "Given", "ServedEntry", "ServedSlate", "rank", "recommend", "similar", "trending", "would_recommend",
    "would_trend",
]  # fmt: skip
