"""Which variants a user is served. Read anew for every request, so that what staff save holds for the next one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.db.models import Exists, OuterRef

from ml.bucketing import choose, fractions
from recsys.experiments.models import Experiment, Exposure, Variant


@dataclass(frozen=True)
class Assignment:
    """The variant of one running experiment that a user is served."""

    experiment_id: int
    experiment_key: str
    variant_id: int
    variant_key: str
    parameters: dict[str, Any]


def assign(user_id: int | None, surface: str, *, expose: bool = True) -> list[Assignment]:
    """The user's variant in each experiment that runs on `surface`, recorded as exposure the first time.

    One query, and an insert at a first exposure. Nobody in particular (None) takes part in no experiment: without an id
    the same person would see another variant at each request. `expose=False` records nothing: the user is not shown
    what follows from it.
    """
    if user_id is None:
        return []
    chosen = list(_choose(user_id, _running_variants(user_id, surface)))
    if expose:
        fresh = [variant for variant in chosen if not variant.was_exposed]  # type: ignore[attr-defined]
        _record_exposures(user_id, fresh)
    return [
        Assignment(variant.experiment_id, variant.experiment.key, variant.pk, variant.key, variant.parameters)
        for variant in chosen
    ]


def merged_parameters(assignments: Iterable[Assignment]) -> dict[str, Any]:
    """All assignments' parameters in one: no two running experiments of a surface set the same (`check_overlap`)."""
    merged: dict[str, Any] = {}
    for assignment in assignments:
        merged |= assignment.parameters
    return merged


def _running_variants(user_id: int, surface: str) -> Iterable[Variant]:
    exposed = Exposure.objects.filter(user_id=user_id, experiment=OuterRef("experiment"))
    return (
        Variant.objects.filter(experiment__surface=surface, experiment__status=Experiment.Status.RUNNING)
        .select_related("experiment")
        .annotate(was_exposed=Exists(exposed))
        .order_by("experiment_id", "pk")
    )


def _choose(user_id: int, variants: Iterable[Variant]) -> Iterable[Variant]:
    for _, group in groupby(variants, key=lambda variant: variant.experiment_id):
        options = list(group)
        experiment = options[0].experiment
        where = fractions(experiment.salt or experiment.key, [user_id])
        yield options[choose(where, [option.weight for option in options])[0]]


def _record_exposures(user_id: int, variants: list[Variant]) -> None:
    """Two requests of one user may race here; the first one's exposure stays."""
    if variants:
        Exposure.objects.bulk_create(
            [Exposure(experiment_id=one.experiment_id, variant=one, user_id=user_id) for one in variants],
            ignore_conflicts=True,
        )
