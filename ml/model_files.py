"""Trained models as bytes, and as files that can be mapped into memory: `ml.artefacts` with a sort for each model.

    header   how many items, the checksum of the vocabulary that the columns stand for, the config that it was trained
             with, from when to when the events were that it learned from, and `models`
    models   one after the other, each with its sort and its numbers; what is made of others (a blend, one without
             weights, or all that a recipe made) names their places, which are before its own. The last one is what was
             kept
    arrays   `item_ids`, and those of each model under its place: `0/items`

A model that is loaded for another vocabulary would score one item by what is known of another. So whoever opens one
gives the vocabulary that it is to be of, or says `UNCHECKED` and takes the one that was kept with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml import artefacts
from ml.als import AlsConfig, AlsScorer
from ml.artefacts import ArtefactError, checksum
from ml.blend import BlendScorer
from ml.collaborative import Choices, Models
from ml.content import ContentScorer
from ml.ease import EaseConfig
from ml.interactions import Ids
from ml.item_graph import ItemGraphConfig
from ml.linear import LinearScorer, Unweighted
from ml.popularity import PopularityScorer
from ml.ranker import Ranker
from ml.recipe import Trained, featurizer
from ml.scorers import Scorer

Model = Scorer | Ranker | Trained
AnyModel = TypeVar("AnyModel")
Arrays = Mapping[str, NDArray[Any]]
UNCHECKED: Literal["unchecked"] = "unchecked"
Vocabulary = Ids | Literal["unchecked"]

_SORT = "model"


@dataclass(frozen=True, eq=False)
class About:
    """What a model was trained on: the ids of the `items` (n_items,) that its columns stand for (None for a ranker,
    which knows no item), the times of the first and the last event, and the `config` it was trained with, JSON values.
    """

    items: Ids | None = None
    window: tuple[float, float] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_items(self) -> int:
        return 0 if self.items is None else len(self.items)


def to_bytes(model: Model, about: About) -> bytes:
    """Pack a model. ArtefactError for numbers that are not finite, another number of items, or no sort of ours."""
    return artefacts.dump(_SORT, *_packed(model, about))


def from_bytes(data: bytes, items: Vocabulary) -> tuple[Model, About]:
    """The model that `to_bytes` packed, and what was said about it.

    ArtefactError where that is damaged or something else, or where it is of others than the `items` (n_items,).
    """
    return _unpacked(*artefacts.load(data, _SORT), items)


def save(path: Path, model: Model, about: About) -> None:
    """Write a file that `open_mapped` maps; whoever reads the path meanwhile gets the one of before, or this one.

    ArtefactError as in `to_bytes`.
    """
    artefacts.save(path, _SORT, *_packed(model, about))


def open_mapped(path: Path, items: Vocabulary) -> tuple[Model, About]:
    """As `from_bytes`, of a file of `save`, its arrays mapped read-only, so that processes share one copy."""
    return _unpacked(*artefacts.open_mapped(path, _SORT), items)


def _packed(model: Model, about: About) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    if not isinstance(model, Ranker) and (about.items is None or len(about.items) != model.n_items):
        raise ArtefactError(f"A model of {model.n_items} items is kept with the ids of as many.")
    packing = _Packing()
    packing.add(model)
    header = {
        "n_items": about.n_items,
        "vocabulary": None if about.items is None else checksum(about.items),
        "window": None if about.window is None else list(about.window),
        "config": dict(about.config),
        "models": packing.models,
    }
    ids = {} if about.items is None else {"item_ids": np.asarray(about.items, dtype=np.int64)}
    return header, packing.arrays | ids


class _Packing:
    """Models by place, and their arrays. One that is a part of several others is kept once."""

    def __init__(self) -> None:
        self.models: list[dict[str, Any]] = []
        self.arrays: dict[str, NDArray[Any]] = {}
        self._places: dict[int, int] = {}

    def add(self, model: Model) -> int:
        """The place of the model, after those of its parts."""
        if id(model) not in self._places:
            described, arrays = self._describe(model)
            place = self._places[id(model)] = len(self.models)
            self.models.append(described)
            self.arrays |= {f"{place}/{name}": array for name, array in arrays.items()}
        return self._places[id(model)]

    def _describe(self, model: Model) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        match model:
            case BlendScorer():
                parts = {name: self.add(part) for name, part in model.parts.items()}
                return {"sort": "blend", "parts": parts, "weights": dict(model.weights)}, {}
            case Unweighted():
                return {"sort": "unweighted", "of": self.add(model.scorer)}, {}
            case Trained():
                return {"sort": "trained", **self._describe_trained(model)}, {}
            case Ranker():
                text = np.frombuffer(model.text.encode(), dtype=np.uint8)
                described = {"sort": "ranker", "features": list(model.features), "of_blend": model.of_blend}
                return described, {"trees": text}
            case AlsScorer():
                described = {"sort": "als", "config": asdict(model.config), "unobserved": model.unobserved}
                return described, {"items": model.items}
            case PopularityScorer():
                return {"sort": "popularity"}, {"counts": model.counts}
            case ContentScorer():
                return {"sort": "content"}, {"vectors": np.asarray(model.vectors)}
            case LinearScorer() if isinstance(model.weights, np.ndarray):
                return {"sort": "dense"}, {"weights": model.weights}
            case LinearScorer():
                weights = sp.csr_matrix(model.weights)
                parts_of = {"data": weights.data, "indices": weights.indices, "indptr": weights.indptr}
                return {"sort": "sparse"}, parts_of
        raise ArtefactError(f"There is no way to keep a {type(model).__name__}.")

    def _describe_trained(self, trained: Trained) -> dict[str, Any]:
        made = {name: getattr(trained.models, name) for name in _OF_TRAINED} | {"ranker": trained.ranker}
        return {
            "models": {name: self.add(model) for name, model in made.items() if model},
            "choices": asdict(trained.models.choices),
            **{name: getattr(trained, name) for name in _PLAIN_OF_TRAINED},
        }


def _unpacked(header: Mapping[str, Any], arrays: Arrays, items: Vocabulary) -> tuple[Model, About]:
    try:
        about = _make_about(header, arrays)
        models: list[Model] = []
        for place, described in enumerate(header["models"]):
            begins = f"{place}/"
            own = {name.removeprefix(begins): array for name, array in arrays.items() if name.startswith(begins)}
            models.append(_MAKERS[described["sort"]](described, own, models))
        model = models[-1]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ArtefactError(f"The parts of this model do not fit together: {error}") from error
    if not isinstance(model, Ranker) and model.n_items != about.n_items:
        raise ArtefactError(f"This is a model of {model.n_items} items, kept with the ids of {about.n_items}.")
    if not isinstance(items, str) and header["vocabulary"] != checksum(items):
        raise ArtefactError("This model is of other items than those that it is loaded for; train it again.")
    return model, about


def _make_about(header: Mapping[str, Any], arrays: Arrays) -> About:
    ids = arrays.get("item_ids")
    if header["vocabulary"] != (None if ids is None else checksum(ids)):
        raise ValueError("the ids of the items are not those that the header names")
    window = None
    if header["window"] is not None:
        first, last = map(float, header["window"])
        window = first, last
    return About(ids, window, dict(header["config"]))


def _part(models: Sequence[Model], place: Any) -> Scorer:
    """The scorer at a place, which is to be one of those that there are already."""
    if place not in range(len(models)):
        raise ValueError(f"no model is at the place {place!r} before this one")
    part = models[place]
    if isinstance(part, Ranker | Trained):
        raise ValueError(f"a {type(part).__name__} is no part of a scorer")
    return part


def _make_blend(described: Mapping[str, Any], arrays: Arrays, models: Sequence[Model]) -> BlendScorer:
    parts = {name: _part(models, place) for name, place in described["parts"].items()}
    if len({part.n_items for part in parts.values()}) != 1:
        raise ValueError("the parts of a blend are of the same items")
    return BlendScorer(parts, {name: float(weight) for name, weight in described["weights"].items()})


def _make_unweighted(described: Mapping[str, Any], arrays: Arrays, models: Sequence[Model]) -> Unweighted:
    return Unweighted(_part(models, described["of"]))


def _make_ranker(described: Mapping[str, Any], arrays: Arrays, models: Sequence[Model]) -> Ranker:
    text = arrays["trees"].astype(np.uint8).tobytes().decode()
    return Ranker(text, tuple(map(str, described["features"])), float(described["of_blend"]))


def _make_trained(described: Mapping[str, Any], arrays: Arrays, models: Sequence[Model]) -> Trained:
    def find(name: str, sort: type[AnyModel]) -> AnyModel | None:
        place = described["models"].get(name)
        if place is None:
            return None
        if place not in range(len(models)) or not isinstance(found := models[place], sort):
            raise ValueError(f"no {sort.__name__} is at the place {place!r} before this one")
        return found

    parts = {name: find(name, sort) for name, sort in _OF_TRAINED.items()}
    if missing := [name for name in ("item_graph", "ials", "counts") if not parts[name]]:
        raise ValueError(f"{missing} are missing of what a recipe makes")
    if len({part.n_items for part in parts.values() if part}) != 1:
        raise ValueError("the models of a recipe are of the same items")
    chosen = described["choices"]
    ease_config = EaseConfig(**chosen["ease"]) if chosen["ease"] else None
    choices = Choices(ItemGraphConfig(**chosen["graph"]), AlsConfig(**chosen["als"]), ease_config)
    plain = {name: described[name] for name in _PLAIN_OF_TRAINED}
    trained = Trained(models=Models(**cast(Any, parts), choices=choices), ranker=find("ranker", Ranker), **plain)
    names = featurizer(trained.models, trained.weights, trained.depth).names
    if trained.ranker and list(trained.ranker.features) != names:
        raise ValueError("the ranker knows other features than this recipe makes")
    return trained


def _make_als(described: Mapping[str, Any], arrays: Arrays, models: Sequence[Model]) -> AlsScorer:
    config = AlsConfig(**described["config"])
    if arrays["items"].ndim != 2 or arrays["items"].shape[1] != config.dimensions:
        raise ValueError(f"factors of shape {arrays['items'].shape} for {config.dimensions} dimensions")
    return AlsScorer(arrays["items"], float(described["unobserved"]), config)


def _make_sparse(described: Mapping[str, Any], arrays: Arrays, models: Sequence[Model]) -> LinearScorer:
    n_items = len(arrays["indptr"]) - 1
    parts = (arrays["data"], arrays["indices"], arrays["indptr"])
    weights = sp.csr_matrix(parts, shape=(n_items, n_items), copy=False)
    weights.check_format(full_check=True)  # places outside of the matrix would read whatever lies there
    return LinearScorer(weights)


def _make_dense(described: Mapping[str, Any], arrays: Arrays, models: Sequence[Model]) -> LinearScorer:
    weights = arrays["weights"]
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1]:
        raise ValueError(f"weights of shape {weights.shape}")
    return LinearScorer(weights)


def _make_popularity(described: Mapping[str, Any], arrays: Arrays, models: Sequence[Model]) -> PopularityScorer:
    if arrays["counts"].ndim != 1:
        raise ValueError(f"counts of shape {arrays['counts'].shape}")
    return PopularityScorer(arrays["counts"])


def _make_content(described: Mapping[str, Any], arrays: Arrays, models: Sequence[Model]) -> ContentScorer:
    return ContentScorer(arrays["vectors"])


_OF_TRAINED: Mapping[str, type[Any]] = {
    "item_graph": LinearScorer,
    "ials": AlsScorer,
    "ease": LinearScorer,
    "counts": PopularityScorer,
    "successors": LinearScorer,
}
_PLAIN_OF_TRAINED = ("weights", "half_life", "why_no_ranker", "depth", "seconds")

_MAKERS: Mapping[str, Callable[[Mapping[str, Any], Arrays, Sequence[Model]], Model]] = {
    "blend": _make_blend,
    "unweighted": _make_unweighted,
    "ranker": _make_ranker,
    "trained": _make_trained,
    "als": _make_als,
    "sparse": _make_sparse,
    "dense": _make_dense,
    "popularity": _make_popularity,
    "content": _make_content,
}
