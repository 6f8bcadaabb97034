"""Writes: starting and stopping experiments, and the rules that a running one obeys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from recsys.experiments.models import Experiment, Variant
from recsys.experiments.parameters import check_parameters

Row = tuple[str, int, dict[str, Any]]  # a variant's key, weight and parameters


class ExperimentError(Exception):
    """An experiment that cannot run; the message says why and what to do."""


def lock_experiment(experiment: Experiment) -> Experiment:
    """`experiment` as it stands, with all of its surface locked until the transaction ends.

    So of two that overlap and are started at the same time the second one sees the first, and is refused.
    """
    list(Experiment.objects.select_for_update().filter(surface=experiment.surface).order_by("pk").values_list("pk"))
    return Experiment.objects.get(pk=experiment.pk)


def check_running(experiment: Experiment, variants: Sequence[Row]) -> list[str]:
    """What forbids `experiment` to run with `variants`, one sentence each."""
    errors = []
    if sum(weight > 0 for _, weight, _ in variants) < 2:
        errors.append("A running experiment needs at least two variants with a weight above 0.")
    for key, _, parameters in variants:
        errors += [f"Variant {key}: {error}" for error in check_parameters(parameters)]
    return errors or check_overlap(experiment, variants)


def check_overlap(experiment: Experiment, variants: Sequence[Row]) -> list[str]:
    """Refuse a parameter that another experiment running on the surface sets: neither could be read for itself."""
    mine = {name for _, _, parameters in variants for name in parameters}
    running = Experiment.objects.filter(surface=experiment.surface, status=Experiment.Status.RUNNING)
    rivals = Variant.objects.filter(experiment__in=running.exclude(pk=experiment.pk)).select_related("experiment")
    errors = set()
    for variant in rivals:
        if both := sorted(mine & variant.parameters.keys()):
            name = variant.experiment.key
            errors.add(f"{name} already runs on {experiment.surface} and sets {', '.join(both)}: stop it first.")
    return sorted(errors)


def do_start_experiment(*, experiment: Experiment) -> None:
    """Let `experiment` steer serving from the next request on. Raises ExperimentError where it breaks a rule."""
    with transaction.atomic():
        current = lock_experiment(experiment)
        if current.status == Experiment.Status.RUNNING:
            return
        variants = list(current.variants.order_by("pk").values_list("key", "weight", "parameters"))
        if errors := check_running(current, variants):
            raise ExperimentError(" ".join(errors))
        current.status = Experiment.Status.RUNNING
        current.started_at = current.started_at or timezone.now()
        current.stopped_at = None
        current.save(update_fields=["status", "started_at", "stopped_at"])


def do_stop_experiment(*, experiment: Experiment) -> None:
    """End `experiment`: serving is as without it from the next request on. Its exposures and report stay."""
    Experiment.objects.filter(pk=experiment.pk, status=Experiment.Status.RUNNING).update(
        status=Experiment.Status.STOPPED, stopped_at=timezone.now()
    )
