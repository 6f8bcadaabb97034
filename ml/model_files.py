"""Trained models as bytes, and as files that can be mapped into memory: `ml.artefacts` with a sort for each model.

    header   format, sort, shapes, the config, how many items, the checksum of the item vocabulary that the columns
             stand for, and from when to when the events were that it learned from

A model that is loaded for another vocabulary would score one item by what is known of another, so `items` is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml import artefacts
from ml.als import AlsConfig, AlsScorer
from ml.artefacts import ArtefactError, checksum
from ml.content import ContentScorer
from ml.interactions import Ids
from ml.linear import LinearScorer
from ml.popularity import PopularityScorer
from ml.ranker import Ranker

Model = LinearScorer | AlsScorer | PopularityScorer | ContentScorer | Ranker
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class About:
    """What a model was trained on: the `items` (n_items,) that its columns stand for (None for a ranker, which knows
    no item), and the times of the first and the last event."""

    items: Ids | None = None
    window: tuple[float, float] | None = None


def to_bytes(model: Model, about: About) -> bytes:
    """Pack a model. ArtefactError for numbers that are not finite, or another number of items."""
    sort, header, arrays = _packed(model)
    return artefacts.dump(sort, header | _described(model, about), arrays)


def from_bytes(data: bytes, about: About) -> Model:
    """The model that `to_bytes` packed; ArtefactError where that is damaged, something else, or of other items."""
    header, arrays = artefacts.load(data, _SORTS)
    return _unpacked(header, arrays, about)


def save(path: Path, model: Model, about: About) -> None:
    """Write a file that `open_mapped` maps; whoever reads the path meanwhile gets the one of before, or this one."""
    sort, header, arrays = _packed(model)
    artefacts.save(path, sort, header | _described(model, about), arrays)


def open_mapped(path: Path, about: About) -> Model:
    """The model in a file of `save`, its arrays mapped read-only, so that processes share one copy. ArtefactError."""
    header, arrays = artefacts.open_mapped(path, _SORTS)
    return _unpacked(header, arrays, about)


def _described(model: Model, about: About) -> dict[str, Any]:
    if not isinstance(model, Ranker) and (about.items is None or len(about.items) != model.n_items):
        raise ArtefactError(f"A model of {model.n_items} items is kept with the ids of as many.")
    return {
        "vocabulary": None if about.items is None else checksum(about.items),
        "window": None if about.window is None else list(about.window),
    }


def _packed(model: Model) -> tuple[str, dict[str, Any], Arrays]:
    if isinstance(model, Ranker):
        text = np.frombuffer(model.text.encode(), dtype=np.uint8)
        return "ranker", {"features": list(model.features)}, {"trees": text}
    if isinstance(model, AlsScorer):
        header = {"config": asdict(model.config), "unobserved": model.unobserved}
        return "als", header, {"items": model.items}
    if isinstance(model, PopularityScorer):
        return "popularity", {}, {"counts": model.counts}
    if isinstance(model, ContentScorer):
        return "content", {}, {"vectors": np.asarray(model.vectors)}
    if isinstance(model.weights, np.ndarray):
        return "dense", {}, {"weights": model.weights}
    weights = sp.csr_matrix(model.weights)
    return "sparse", {}, {"data": weights.data, "indices": weights.indices, "indptr": weights.indptr}


def _unpacked(header: Mapping[str, Any], arrays: Arrays, about: About) -> Model:
    try:
        model = _MAKERS[header["sort"]](header, arrays)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ArtefactError(f"The parts of this model do not fit together: {error}") from error
    if about.items is not None and header.get("vocabulary") != checksum(about.items):
        raise ArtefactError("This model is of other items than those that it is loaded for; train it again.")
    return model


def _make_ranker(header: Mapping[str, Any], arrays: Arrays) -> Ranker:
    return Ranker(arrays["trees"].astype(np.uint8).tobytes().decode(), tuple(map(str, header["features"])))


def _make_als(header: Mapping[str, Any], arrays: Arrays) -> AlsScorer:
    config = AlsConfig(**header["config"])
    if arrays["items"].ndim != 2 or arrays["items"].shape[1] != config.dimensions:
        raise ValueError(f"factors of shape {arrays['items'].shape} for {config.dimensions} dimensions")
    return AlsScorer(arrays["items"], float(header["unobserved"]), config)


def _make_sparse(header: Mapping[str, Any], arrays: Arrays) -> LinearScorer:
    n_items = len(arrays["indptr"]) - 1
    parts = (arrays["data"], arrays["indices"], arrays["indptr"])
    weights = sp.csr_matrix(parts, shape=(n_items, n_items), copy=False)
    weights.check_format(full_check=True)  # places outside of the matrix would read whatever lies there
    return LinearScorer(weights)


def _make_dense(header: Mapping[str, Any], arrays: Arrays) -> LinearScorer:
    weights = arrays["weights"]
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1]:
        raise ValueError(f"weights of shape {weights.shape}")
    return LinearScorer(weights)


_MAKERS: dict[str, Callable[[Mapping[str, Any], Arrays], Model]] = {
    "ranker": _make_ranker,
    "als": _make_als,
    "sparse": _make_sparse,
    "dense": _make_dense,
    "popularity": lambda header, arrays: PopularityScorer(arrays["counts"]),
    "content": lambda header, arrays: ContentScorer(arrays["vectors"]),
}
_SORTS = tuple(_MAKERS)
