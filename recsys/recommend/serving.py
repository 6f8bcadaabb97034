"""The models that serve now. Which they are is read anew for each request; their arrays are kept by version in the
process.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.als import AlsConfig
from ml.artefacts import ArtefactError, dump, load
from ml.text import TextModel
from recsys.recommend.models import FACTOR_DIMENSIONS, ModelVersion

CF = "cf"
CONTENT = "content"


@dataclass(frozen=True)
class FactorModel:
    """What folding in needs beside the item factors, which are in `FactorVector`.

    `gram` (d, d) of all item factors, `n_items` how many there were, and the `config` that they were trained with.
    """

    gram: NDArray[np.float32]
    n_items: int
    config: AlsConfig

    def to_bytes(self) -> bytes:
        return dump(CF, {"config": asdict(self.config), "n_items": self.n_items}, {"gram": self.gram})

    @classmethod
    def from_bytes(cls, data: bytes) -> FactorModel:
        """ArtefactError where the bytes are damaged, or of a model of another size than the vectors in the database."""
        header, arrays = load(data, CF)
        try:
            model = cls(gram=arrays["gram"], n_items=int(header["n_items"]), config=AlsConfig(**header["config"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"The header of this factor model is incomplete: {error}") from error
        if model.gram.shape != (FACTOR_DIMENSIONS, FACTOR_DIMENSIONS):
            raise ArtefactError(f"This factor model is not of {FACTOR_DIMENSIONS} dimensions; train it again.")
        return model


def serving_versions() -> dict[str, int]:
    """The id of the serving version of each kind of model. One query."""
    return dict(ModelVersion.objects.filter(status=ModelVersion.Status.SERVING).values_list("kind", "pk"))


@lru_cache(maxsize=4)
def factor_model(version: int) -> FactorModel:
    """The factor model of a version; ModelVersion.DoesNotExist, or ArtefactError for damaged bytes."""
    return FactorModel.from_bytes(_artefact(version))


@lru_cache(maxsize=2)
def text_model(version: int) -> TextModel:
    """The text model of a version; ModelVersion.DoesNotExist, or ArtefactError for damaged bytes."""
    return TextModel.from_bytes(_artefact(version))


def _artefact(version: int) -> bytes:
    data: Any = ModelVersion.objects.values_list("artefact", flat=True).get(pk=version)
    return bytes(data or b"")
