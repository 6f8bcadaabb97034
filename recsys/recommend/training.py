"""Training of the models that serve: read, judge against the serving model, learn from everything, promote."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

from ml import als, text
from ml.als import AlsConfig, AlsFactors
from ml.artefacts import ArtefactError
from ml.interactions import Ids, Interactions
from ml.text import TextConfig, TextModel
from recsys.catalog.models import CONTENT_DIMENSIONS, ContentVector
from recsys.recommend.embedding import lock_content, read_texts
from recsys.recommend.judging import LEAST_USERS, Judgement, Recipe, Split, judge, split
from recsys.recommend.models import FACTOR_DIMENSIONS, FactorVector, ModelVersion
from recsys.recommend.promotion import (
    TrainingResult,
    do_promote,
    do_prune_versions,
    do_refuse,
    newest_version,
    serving_version,
    training_lock,
)
from recsys.recommend.serving import CF, CONTENT, FactorModel
from recsys.recommend.training_data import Events, interactions_fingerprint, items_fingerprint, read_events
from recsys.recommend.vectors import read_vectors

logger = logging.getLogger(__name__)

M = TypeVar("M")
SEED = 7
CF_CONFIG = AlsConfig(dimensions=FACTOR_DIMENSIONS)
TEXT_CONFIG = TextConfig(dimensions=CONTENT_DIMENSIONS)

Floats = NDArray[np.float32]
Progress = Callable[[str, int, int], None]
"""Called with what is being done, and how many of how many steps of it are."""


def no_progress(what: str, done: int, total: int) -> None:
    """For whoever does not watch."""


def train_cf(*, force: bool = False, config: AlsConfig = CF_CONFIG, progress: Progress = no_progress) -> TrainingResult:
    """Train the matrix factorisation on all interactions, and let it serve unless it is worse than the serving one.

    Nothing happens where nothing is new, unless `force`. TrainingBusyError while another process does it.
    """
    with training_lock(CF):
        fingerprint = interactions_fingerprint()
        serving = _readable(CF, FactorModel.from_bytes)
        if not force and serving and _is_known(CF, fingerprint):
            return TrainingResult(CF, None, False, "No interaction is new since the last training.", {})
        progress("read interactions", 0, 1)
        events = read_events()
        progress("read interactions", 1, 1)
        data = events.matrix()
        if not data.matrix.nnz:
            return TrainingResult(CF, None, False, "There are no interactions to learn from.", {})
        judgement = _judge_cf(events, config, serving, progress)
        metrics = {
            **judgement.metrics,
            "fingerprint": fingerprint,
            "data_until": float(events.times.max()),
            "interactions": len(events),
            "users": len(data.user_ids),
            "items": len(data.item_ids),
        }
        if not judgement.promote:
            return do_refuse(kind=CF, metrics=metrics, reason=judgement.reason)
        factors = _fit(data, config, progress, "learn")
        model = FactorModel(side=factors.side, config=config)
        progress("index", 0, 1)
        result = do_promote(
            kind=CF,
            table=FactorVector,
            item_ids=data.item_ids,
            vectors=factors.items,
            artefact=model.to_bytes(),
            metrics=metrics,
            reason=judgement.reason,
        )
        do_prune_versions(kind=CF, table=FactorVector)
        progress("index", 1, 1)
        return result


def train_content(
    *, force: bool = False, config: TextConfig = TEXT_CONFIG, progress: Progress = no_progress
) -> TrainingResult:
    """Learn the text model from all items, place every item by it, and let it serve unless it is worse than the serving
    one at finding what people took up next. The rest is as in `train_cf`."""
    with training_lock(CONTENT):
        fingerprint = items_fingerprint()
        serving = _readable(CONTENT, TextModel.from_bytes)
        if not force and serving and _is_known(CONTENT, fingerprint):
            return TrainingResult(CONTENT, None, False, "No item is new or changed since the last training.", {})
        progress("read items", 0, 1)
        item_ids, texts = read_texts()
        progress("read items", 1, 1)
        if not texts:
            return TrainingResult(CONTENT, None, False, "There are no items to learn from.", {})
        progress("learn words", 0, 1)
        model = text.fit(texts, config, np.random.default_rng(SEED))
        progress("learn words", 1, 1)
        judgement = _judge_content(model, serving and serving[1], item_ids, texts)
        metrics = {**judgement.metrics, "fingerprint": fingerprint, "items": len(texts)}
        if not judgement.promote:
            return do_refuse(kind=CONTENT, metrics=metrics, reason=judgement.reason)
        progress("index", 0, 1)
        result = _promote_content(model, metrics, judgement.reason)
        do_prune_versions(kind=CONTENT, table=ContentVector)
        progress("index", 1, 1)
        return result


def _is_known(kind: str, fingerprint: str) -> bool:
    newest = newest_version(kind)
    return newest is not None and newest.metrics.get("fingerprint") == fingerprint


def _readable(kind: str, read: Callable[[bytes], M]) -> tuple[ModelVersion, M] | None:
    """The serving version and its model. One that cannot be read cannot serve: nothing is compared with it."""
    version = serving_version(kind)
    if version is None:
        return None
    try:
        return version, read(bytes(version.artefact or b""))
    except ArtefactError as error:
        logger.error("The serving %s model cannot be read and will be replaced: %s", kind, error)
        return None


def _fit(data: Interactions, config: AlsConfig, progress: Progress, what: str) -> AlsFactors:
    rng = np.random.default_rng(SEED)
    return als.fit(data.matrix, config, rng, lambda done, total: progress(what, done, total))


def _judge_cf(
    events: Events, config: AlsConfig, serving: tuple[ModelVersion, FactorModel] | None, progress: Progress
) -> Judgement:
    """Compare with the serving model by what happened since its training, which neither has seen.

    Where too few came back since then, its recipe is compared instead: trained anew on the same part of the data. The
    same recipe on newer data is not worse by itself.
    """

    def candidate(known: Interactions) -> tuple[Floats, Floats]:
        fitted = _fit(known, config, progress, "judge")
        return als.fold_in_many(known.matrix, fitted.items, fitted.unobserved, config), fitted.items

    if serving is None:
        return judge(split(events), candidate, None, SEED)
    since = _split_since(events, serving[0])
    if since is not None:
        return judge(since, candidate, _served_cf(*serving), SEED)
    known_recipe = serving[1].config
    if known_recipe == config:
        judgement = judge(split(events), candidate, None, SEED)
        return Judgement(True, "The same recipe as the serving model's, on newer data.", judgement.metrics)

    def serving_recipe(known: Interactions) -> tuple[Floats, Floats]:
        fitted = _fit(known, known_recipe, progress, "judge the serving recipe")
        return als.fold_in_many(known.matrix, fitted.items, fitted.unobserved, known_recipe), fitted.items

    return judge(split(events), candidate, serving_recipe, SEED)


def _split_since(events: Events, serving: ModelVersion) -> Split | None:
    until = float(serving.metrics.get("data_until", np.inf))
    if not (events.times > until).any():
        return None
    since = split(events, np.nextafter(until, np.inf))
    return since if since.users >= LEAST_USERS else None


def _served_cf(version: ModelVersion, model: FactorModel) -> Recipe:
    vectors = read_vectors(FactorVector, version.pk)

    def recipe(known: Interactions) -> tuple[Floats, Floats]:
        items = _align(vectors, known.item_ids, FACTOR_DIMENSIONS)
        return als.fold_in_many(known.matrix, items, model.side.unobserved, model.config), items

    return recipe


def _align(vectors: tuple[Ids, Floats], item_ids: Ids, dimensions: int) -> Floats:
    """The rows of `vectors` (ids, rows) in the order of `item_ids`, zero where there is none."""
    ids, rows = vectors
    aligned = np.zeros((len(item_ids), dimensions), dtype=np.float32)
    _, theirs, ours = np.intersect1d(ids, item_ids, return_indices=True)
    aligned[ours] = rows[theirs]
    return aligned


def _judge_content(model: TextModel, serving: TextModel | None, item_ids: Ids, texts: list[str]) -> Judgement:
    events = read_events()
    if not len(events):
        return Judgement(True, "There are no interactions to measure by.", {})

    def recipe_of(model: TextModel) -> Recipe:
        vectors = model.encode(texts)

        def recipe(known: Interactions) -> tuple[Floats, Floats]:
            items = _align((item_ids, vectors), known.item_ids, vectors.shape[1])
            return np.asarray(known.matrix @ items, dtype=np.float32), items

        return recipe

    return judge(split(events), recipe_of(model), recipe_of(serving) if serving else None, SEED)


@transaction.atomic
def _promote_content(model: TextModel, metrics: dict[str, Any], reason: str) -> TrainingResult:
    """Under the lock, so that no item changes its words between being placed by this model and the model serving."""
    with connection.cursor() as cursor:
        lock_content(cursor, exclusive=True)
    item_ids, texts = read_texts()
    vectors = model.encode(texts)
    known = np.abs(vectors).max(axis=1, initial=0) > 0
    return do_promote(
        kind=CONTENT,
        table=ContentVector,
        item_ids=item_ids[known],
        vectors=vectors[known],
        artefact=model.to_bytes(),
        metrics=metrics,
        reason=reason,
    )
