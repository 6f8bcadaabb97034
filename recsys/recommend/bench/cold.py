"""How well films are recommended that nobody has rated yet, by what is written about them.

Several moments, evenly over the last half of the likings; a film is cold that nobody had rated before one, liked or
not. Each user who liked a cold film, and a warm one before, is asked for the cold ones alone, and counts once, with the
mean over the moments. What was written later is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml import text
from ml.als import AlsConfig
from ml.blend import scaled
from ml.cold_start import ColdStartConfig
from ml.content import ContentScorer
from ml.content_evaluation import (
    ColdMeasures,
    ColdSplit,
    Score,
    baselines,
    fit_mapped,
    mean_by_user,
    measure,
    split_cold,
)
from ml.formats import MovieLens
from ml.metrics import compare as compare_users
from ml.metrics import summarise
from ml.text import ItemText, TextConfig

Floats = NDArray[np.float32]

WINDOWS = 5
FACTORS = AlsConfig(dimensions=32)
K = 20


def measure_cold(data: MovieLens, liked: float, seed: int) -> dict[str, Any]:
    """`cold_models`, and by how much the content source beats what does not know the reader (95% intervals)."""
    rng = np.random.default_rng(seed)
    events = data.ratings.where(data.ratings.weights >= liked)
    user_ids, users = np.unique(events.users, return_inverse=True)
    item_ids, items = np.unique(events.items, return_inverse=True)
    shape = (len(user_ids), len(item_ids))
    first_rated = _first_rated(data, item_ids)
    edges = np.quantile(events.times, np.linspace(0.5, 1, WINDOWS + 1))
    categories = _categories(data, item_ids)
    found: dict[str, list[ColdMeasures]] = {}
    for moment, end in zip(edges[:-1], [*edges[1:-1], np.inf], strict=True):
        inside = events.times < end
        ones = np.ones(inside.sum())
        split = split_cold(users[inside], items[inside], ones, events.times[inside], shape, moment, first_rated)
        if not len(split.users):
            continue
        score = _sources(split, _texts(data, item_ids, moment), categories, rng)
        for name, measures in measure(split, score, K, rng).items():
            found.setdefault(name, []).append(measures)
    if not found:
        return {"cold_users": 0}
    return _report({name: mean_by_user(parts) for name, parts in found.items()}) | {
        "cold_moments": len(found["random"]),
        "cold_questions": sum(len(one.users) for one in found["random"]),
    }


def _sources(split: ColdSplit, texts: Sequence[ItemText], categories: sp.csr_matrix, rng: np.random.Generator) -> Score:
    """What ranks the cold films: all that is learned is learned from what was known before the moment."""
    warm = np.flatnonzero(np.bincount(split.known.indices, minlength=len(texts)))
    model = text.fit([texts[item] for item in warm.tolist()], TextConfig(), rng)
    vectors = model.encode(texts)
    content = ContentScorer(vectors)
    mapped = fit_mapped(split, vectors, FACTORS, ColdStartConfig(), rng)
    known_to_all = baselines(split, categories)

    def score(histories: sp.csr_matrix) -> dict[str, Floats]:
        by_content, by_factors = content.score(histories), mapped.score(histories)
        return known_to_all | {
            "content": by_content,
            "content_to_factors": by_factors,
            "both": scaled(by_content) + scaled(by_factors),
        }

    return score


def _report(measured: dict[str, ColdMeasures]) -> dict[str, Any]:
    models = {}
    for name, found in measured.items():
        ndcg = summarise(found.ndcg)
        models[name] = {
            f"recall@{K}": summarise(found.recall).mean, f"ndcg@{K}": ndcg.mean, f"±ndcg@{K}": 1.96 * ndcg.error,
        }  # fmt: skip
    gains = {
        f"{name} over {other}": list(compare_users(measured[name].ndcg, measured[other].ndcg).interval)
        for name in ("content", "content_to_factors", "both")
        for other in ("random", "category")
        if name in measured
    }
    return {"cold_models": models, "cold_ndcg_gains": gains, "cold_users": len(measured["random"].users)}


def _first_rated(data: MovieLens, item_ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """When each of the items was first rated at all, (n_items,)."""
    places = np.searchsorted(item_ids, data.ratings.items)
    inside = item_ids[np.minimum(places, len(item_ids) - 1)] == data.ratings.items
    first = np.full(len(item_ids), np.inf)
    np.minimum.at(first, places[inside], data.ratings.times[inside])
    return first


def _texts(data: MovieLens, item_ids: NDArray[np.int64], moment: float) -> list[ItemText]:
    """What was written about each item before the moment."""
    return [
        ItemText(
            title=data.titles.get(item, ""),
            category="|".join(data.genres.get(item, [])),
            tags=tuple(tag for tag, time in data.tags.get(item, []) if time < moment),
        )
        for item in item_ids.tolist()
    ]


def _categories(data: MovieLens, item_ids: NDArray[np.int64]) -> sp.csr_matrix:
    names = sorted({name for genres in data.genres.values() for name in genres})
    place = {name: number for number, name in enumerate(names)}
    pairs = [(row, place[name]) for row, item in enumerate(item_ids.tolist()) for name in data.genres.get(item, [])]
    rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
    return sp.csr_matrix((np.ones(len(pairs)), (rows, columns)), shape=(len(item_ids), len(names)))
