"""Content vectors from words: TF-IDF, then truncated SVD (latent semantic analysis), then unit length.

Deerwester et al., "Indexing by Latent Semantic Analysis" (JASIS 1990), with sublinear term frequency (1 + ln tf) and
smooth idf (ln((1 + n) / (1 + df)) + 1). The inner product of two vectors is the cosine of the two texts in the latent
space. A text without a known word is the zero vector. The model is plain arrays: a vocabulary, its idf, and a
projection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.artefacts import ArtefactError, dump, load

if TYPE_CHECKING:
    # Loaded where it is used: it takes 0.6 s and 60 MB, and most processes never touch a text.
    from sklearn.feature_extraction.text import TfidfVectorizer

Floats = NDArray[np.float32]
_SORT = "text"
_WORD = r"(?u)\b\w[\w'-]*\b"


@dataclass(frozen=True)
class TextConfig:
    """`dimensions` of the vectors; `max_words` most frequent words are kept, of those in at least `min_documents`
    texts.
    """

    dimensions: int = 128
    max_words: int = 20_000
    min_documents: int = 2

    def __post_init__(self) -> None:
        if min(self.dimensions, self.max_words, self.min_documents) < 1:
            raise ValueError("dimensions, max_words and min_documents must be at least 1.")


class TextModel:
    """Maps texts to unit vectors of `dimensions` numbers (float32)."""

    def __init__(self, words: Sequence[str], idf: Floats, projection: Floats) -> None:
        """`idf` (n_words,), `projection` (n_words, dimensions)."""
        if not len(words) == idf.shape[0] == projection.shape[0]:
            raise ValueError("words, idf and projection must have the same length.")
        self._words = list(words)
        self._idf = idf.astype(np.float32)
        self._projection = projection.astype(np.float32)
        self._vectorizer = _vectorizer(vocabulary={word: index for index, word in enumerate(words)})
        if words:
            self._vectorizer.idf_ = self._idf

    @property
    def dimensions(self) -> int:
        return int(self._projection.shape[1])

    def transform(self, texts: Sequence[str]) -> Floats:
        """The vectors of `texts`, (n_texts, dimensions)."""
        if not self._words or not texts:
            return np.zeros((len(texts), self.dimensions), dtype=np.float32)
        return _unit_rows(np.asarray(self._vectorizer.transform(texts) @ self._projection, dtype=np.float32))

    def to_bytes(self) -> bytes:
        arrays = {"words": np.array(self._words, dtype=np.str_), "idf": self._idf, "projection": self._projection}
        return dump(_SORT, {"dimensions": self.dimensions}, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> TextModel:
        """The model that `to_bytes` packed; ArtefactError where the bytes are damaged or something else."""
        header, arrays = load(data, _SORT)
        try:
            model = cls(arrays["words"].tolist(), arrays["idf"], arrays["projection"])
        except (KeyError, ValueError, IndexError) as error:
            raise ArtefactError(f"The arrays of this text model do not fit together: {error}") from error
        if model.dimensions != header.get("dimensions"):
            raise ArtefactError("The header of this text model names another number of dimensions.")
        return model


def fit(texts: Sequence[str], config: TextConfig, rng: np.random.Generator) -> TextModel:
    """Learn vocabulary, idf and projection from `texts`. Few texts give fewer dimensions, padded with zeros."""
    empty = TextModel([], np.zeros(0, np.float32), np.zeros((0, config.dimensions), np.float32))
    # A word that few texts share places them beside each other; below a handful of texts every word is rare.
    least = config.min_documents if len(texts) >= 10 * config.min_documents else 1
    vectorizer = _vectorizer(max_features=config.max_words, min_df=least)
    try:
        counts = vectorizer.fit_transform(texts)
    except ValueError:  # "empty vocabulary": no text has a word
        return empty
    rank = min(config.dimensions, min(counts.shape) - 1)
    if rank < 1:  # one text, or one word: nothing to reduce
        projection = np.eye(counts.shape[1], config.dimensions, dtype=np.float32)
    else:
        from sklearn.decomposition import TruncatedSVD

        svd = TruncatedSVD(rank, random_state=int(rng.integers(2**31)))
        svd.fit(counts)
        projection = np.zeros((counts.shape[1], config.dimensions), dtype=np.float32)
        projection[:, :rank] = svd.components_.T
    return TextModel(vectorizer.get_feature_names_out().tolist(), vectorizer.idf_, projection)


def _vectorizer(**settings: object) -> TfidfVectorizer:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        stop_words="english",
        sublinear_tf=True,
        token_pattern=_WORD,
        dtype=np.float32,
        strip_accents="unicode",
        **settings,
    )


def _unit_rows(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 1e-9)
