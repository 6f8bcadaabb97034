"""What makes a vector of a text. Content models take any encoder: words counted here, or a pretrained network."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ml.text import Text
from ml.vectors import unit_rows

Floats = NDArray[np.float32]


class MissingPackageError(ImportError):
    """An optional package is needed, and not installed. The message says how to get it."""


class Encoder(Protocol):
    """Maps texts, plain or of items, to vectors whose inner product says how alike they are. `ml.text.TextModel` is
    one.
    """

    @property
    def dimensions(self) -> int: ...

    def encode(self, texts: Sequence[Text]) -> Floats:
        """The vectors (len(texts), dimensions) of `texts`, float32: unit rows, or zero where nothing is known."""
        ...


@dataclass(frozen=True)
class SentenceConfig:
    """`model`: the name of a pretrained model, or a folder with one. `dimensions`: keep that many first numbers of each
    vector (None: all), which only models made for it bear well (Kusupati et al., "Matryoshka Representation Learning",
    NeurIPS 2022). `device` as torch names it (None: the best there is).
    """

    model: str
    dimensions: int | None = None
    batch_size: int = 32
    device: str | None = None

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise ValueError("A sentence encoder needs the name of a model.")
        if self.batch_size < 1 or (self.dimensions is not None and self.dimensions < 1):
            raise ValueError("batch_size and dimensions must be at least 1.")


class SentenceEncoder:
    """Sentence vectors of a pretrained transformer: Reimers, Gurevych, "Sentence-BERT" (EMNLP 2019).

    Needs the package sentence-transformers, which brings torch; it is loaded when the first encoder is made.
    MissingPackageError where it is not installed; ValueError where the model has fewer dimensions than wanted.
    """

    def __init__(self, config: SentenceConfig) -> None:
        self._config = config
        self._model = _sentence_transformers().SentenceTransformer(config.model, device=config.device)
        # Asked of a vector, because the model's own answer may be None and has changed its name.
        found = self._raw(["dimensions"]).shape[1]
        if config.dimensions is not None and config.dimensions > found:
            raise ValueError(f"{config.model} has {found} dimensions, fewer than the {config.dimensions} wanted.")
        self._dimensions = config.dimensions or found

    @property
    def dimensions(self) -> int:
        return self._dimensions

    def encode(self, texts: Sequence[Text]) -> Floats:
        """The vectors of `texts`, (n_texts, dimensions). An empty text is the zero vector.

        ValueError where the model gives numbers that are not finite.
        """
        plain = [str(text).strip() for text in texts]
        said = np.array([bool(text) for text in plain], dtype=bool)
        vectors = np.zeros((len(plain), self.dimensions), dtype=np.float32)
        if said.any():
            vectors[said] = unit_rows(self._raw([text for text in plain if text])[:, : self.dimensions])
        return vectors

    def _raw(self, texts: list[str]) -> Floats:
        found = self._model.encode(
            texts, batch_size=self._config.batch_size, convert_to_numpy=True, show_progress_bar=False
        )
        vectors = np.asarray(found, dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise ValueError(f"{self._config.model} did not give one vector of finite numbers for each text.")
        return vectors


def _sentence_transformers() -> Any:
    try:
        return importlib.import_module("sentence_transformers")
    except ModuleNotFoundError as error:
        if error.name != "sentence_transformers":  # it is there, but something that it needs is not
            raise
        raise MissingPackageError(
            "Sentence encoders need the package sentence-transformers: pip install sentence-transformers",
            name=error.name,
        ) from error
