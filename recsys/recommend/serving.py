"""The models that serve now. Which they are is read anew for each request; their arrays are kept by version in the
process.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from ml.als import AlsConfig, ItemSide
from ml.artefacts import ArtefactError, dump, load
from ml.text import TextModel
from recsys.recommend.models import FACTOR_DIMENSIONS, ModelVersion

CF = "cf"
CONTENT = "content"


@dataclass(frozen=True)
class FactorModel:
    """What folding in needs beside the item factors, which are in `FactorVector`.

    `side` sums up all item factors, `config` is what they were trained with.
    """

    side: ItemSide
    config: AlsConfig

    def to_bytes(self) -> bytes:
        header = {"config": asdict(self.config), "n_items": self.side.n_items, "unobserved": self.side.unobserved}
        return dump(CF, header, {"gram": self.side.gram})

    @classmethod
    def from_bytes(cls, data: bytes) -> FactorModel:
        """ArtefactError where the bytes are damaged, or of a model of another size than the vectors in the database."""
        header, arrays = load(data, CF)
        try:
            side = ItemSide(arrays["gram"], int(header["n_items"]), float(header["unobserved"]))
            model = cls(side=side, config=AlsConfig(**header["config"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"The header of this factor model is incomplete: {error}") from error
        if side.gram.shape != (FACTOR_DIMENSIONS, FACTOR_DIMENSIONS):
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
