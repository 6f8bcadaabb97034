"""How well films are recommended that nobody has liked yet, by what is written about them.

Several moments, evenly over the last half of the events; an item is cold that is first taken up after one. Each user
who took up a cold item, and a warm one before, is asked for the cold ones alone. What was written later is not known.
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
from ml.content_evaluation import ColdMeasures, baselines, compare, content_scores, mapped_scores, split_cold
from ml.formats import MovieLens
from ml.metrics import compare as compare_users
from ml.metrics import summarise
from ml.text import ItemText, TextConfig

WINDOWS = 5
FACTORS = AlsConfig(dimensions=32)
K = 20


def measure_cold(data: MovieLens, liked: float, seed: int) -> dict[str, Any]:
    """`cold_models`, and by how much the content source beats what does not know the reader (95% intervals)."""
    rng = np.random.default_rng(seed)
    events = data.ratings.where(data.ratings.weights >= liked)
    user_ids, users = np.unique(events.users, return_inverse=True)
    item_ids, items = np.unique(events.items, return_inverse=True)
    edges = np.quantile(events.times, np.linspace(0.5, 1, WINDOWS + 1))
    categories = _categories(data, item_ids)
    pooled: dict[str, list[ColdMeasures]] = {}
    for moment, end in zip(edges[:-1], [*edges[1:-1], np.inf], strict=True):
        inside = events.times < end
        ones = np.ones(inside.sum())
        shape = (len(user_ids), len(item_ids))
        split = split_cold(users[inside], items[inside], ones, events.times[inside], shape, moment)
        if not len(split.users):
            continue
        texts = _texts(data, item_ids, moment)
        warm = np.flatnonzero(np.bincount(split.known.indices, minlength=len(item_ids)))
        model = text.fit([texts[item] for item in warm], TextConfig(), rng)
        vectors = model.encode(texts)
        content = content_scores(split, vectors)
        mapped, _ = mapped_scores(split, vectors, FACTORS, ColdStartConfig(), rng)
        scores = baselines(split, categories) | {
            "content": content, "content_to_factors": mapped, "both": scaled(content) + scaled(mapped),
        }  # fmt: skip
        for name, measures in compare(split, scores, K, rng).items():
            pooled.setdefault(name, []).append(measures)
    if not pooled:
        return {"cold_users": 0}
    return _report({name: _together(parts) for name, parts in pooled.items()})


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
    return {"cold_models": models, "cold_ndcg_gains": gains, "cold_users": len(measured["random"].ndcg)}


def _together(parts: Sequence[ColdMeasures]) -> ColdMeasures:
    return ColdMeasures(np.concatenate([one.recall for one in parts]), np.concatenate([one.ndcg for one in parts]))


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
