"""The step from a trained model to the serving one, and the lock that lets only one training of a kind run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import OperationalError, connection, models, transaction
from numpy.typing import NDArray

from recsys.recommend.models import ModelVersion
from recsys.recommend.vectors import create_partition, drop_partitions

logger = logging.getLogger(__name__)

KEPT_VERSIONS = 20  # of a kind, as a record; their arrays go as soon as nobody can be reading them
_LOCK_CLASS = 7_302


class TrainingBusyError(RuntimeError):
    """Another process is training the same kind of model."""


@dataclass(frozen=True)
class TrainingResult:
    """What a training came to. `version` is None where nothing was trained."""

    kind: str
    version: int | None
    promoted: bool
    reason: str
    metrics: dict[str, Any]


@contextmanager
def training_lock(kind: str) -> Iterator[None]:
    """Keep other trainings of `kind` out, or raise TrainingBusyError if one is under way."""
    key = [_LOCK_CLASS, sum(kind.encode())]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        if not cursor.fetchone()[0]:
            raise TrainingBusyError(f"A training of {kind} is under way already; let it end.")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)


def newest_version(kind: str) -> ModelVersion | None:
    """The last one trained, whatever became of it."""
    return ModelVersion.objects.filter(kind=kind).order_by("-pk").defer("artefact").first()


def serving_version(kind: str) -> ModelVersion | None:
    return ModelVersion.objects.filter(kind=kind, status=ModelVersion.Status.SERVING).first()


def do_refuse(*, kind: str, metrics: dict[str, Any], reason: str) -> TrainingResult:
    """Note that a model was trained and not taken."""
    version = ModelVersion.objects.create(kind=kind, metrics={**metrics, "refused": reason})
    logger.warning("The new %s model is not promoted: %s", kind, reason)
    return TrainingResult(kind, version.pk, False, reason, version.metrics)


@transaction.atomic
def do_promote(
    *,
    kind: str,
    table: type[models.Model],
    item_ids: NDArray[np.int64],
    vectors: NDArray[np.float32],
    artefact: bytes,
    metrics: dict[str, Any],
    reason: str,
) -> TrainingResult:
    """Let a new version serve, vectors and all, from the commit on. Whoever reads the old one still finds it whole."""
    version = ModelVersion.objects.create(kind=kind, metrics={**metrics, "promoted": reason}, artefact=artefact)
    create_partition(table, version.pk, item_ids, vectors)
    ModelVersion.objects.filter(kind=kind, status=ModelVersion.Status.SERVING).update(
        status=ModelVersion.Status.RETIRED
    )
    ModelVersion.objects.filter(pk=version.pk).update(status=ModelVersion.Status.SERVING)
    return TrainingResult(kind, version.pk, True, reason, version.metrics)


def do_prune_versions(*, kind: str, table: type[models.Model]) -> None:
    """Forget the arrays of all versions but the serving one and the one before, which requests may still be reading."""
    versions = ModelVersion.objects.filter(kind=kind)
    with_arrays = versions.exclude(status=ModelVersion.Status.CANDIDATE).order_by("-pk")
    keep = list(with_arrays.values_list("pk", flat=True)[:2])
    try:
        with transaction.atomic():
            drop_partitions(table, keep)
            versions.exclude(pk__in=keep).filter(artefact__isnull=False).update(artefact=None)
            recorded = list(versions.order_by("-pk").values_list("pk", flat=True)[:KEPT_VERSIONS])
            versions.exclude(pk__in={*recorded, *keep}).delete()
    except OperationalError as error:
        logger.warning("Old versions of %s are still being read; the next training removes them: %s", kind, error)
