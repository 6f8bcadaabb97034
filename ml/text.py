"""Content vectors from words: TF-IDF by field, then truncated SVD (latent semantic analysis), then unit length.

Deerwester et al., "Indexing by Latent Semantic Analysis" (JASIS 1990), with sublinear term frequency (1 + ln tf) and
smooth idf (ln((1 + n) / (1 + df)) + 1). An item's fields share vocabulary and idf. Each field is a unit vector of its
own before the weighted sum of them is taken, so a long description does not drown a category:

    row = sum over fields f of  w_f * tfidf_f / ||tfidf_f||

The inner product of two vectors is the cosine of the two texts in the latent space. A text without a known word is the
zero vector. The model is plain arrays: a vocabulary, its idf, and a projection.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.artefacts import ArtefactError, dump, load
from ml.vectors import unit_rows

if TYPE_CHECKING:
    # Loaded where they are used: they take 0.8 s and 60 MB, and most processes never touch a text.
    import scipy.sparse as sp
    from sklearn.feature_extraction.text import TfidfVectorizer

Floats = NDArray[np.float32]
_SORT = "text"
_SHORTEST = 1e-9  # a text that lies beyond all dimensions has nothing but rounding in them
# Stands before a category or a tag, so that "Fire" among them is neither the word "fire" nor a stop word.
_LABEL = "\N{SYMBOL FOR UNIT SEPARATOR}"
_TOKEN = rf"(?u){_LABEL}\S+|\b\w[\w'-]*\b"


@dataclass(frozen=True)
class ItemText:
    """What is said of an item. `category` may name several, parted by "|". A category is one token as a whole; a tag is
    one as a whole and its words besides.
    """

    title: str = ""
    description: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The fields as plain text, for models that read sentences."""
        parts = [self.title, ", ".join(self.category.split("|")), ", ".join(self.tags), self.description]
        return ". ".join(part.strip() for part in parts if part.strip())


Text = str | ItemText


@dataclass(frozen=True)
class FieldWeights:
    """How much the fields of an item count beside each other; 0 leaves a field out. Plain texts have no fields."""

    title: float = 1.0
    description: float = 1.0
    category: float = 1.0
    tags: float = 1.0

    def __post_init__(self) -> None:
        values = np.array([self.title, self.description, self.category, self.tags])
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() > 0):
            raise ValueError("The weights of fields must be finite and at least 0, and one above 0.")


@dataclass(frozen=True)
class TextConfig:
    """`dimensions` of the vectors; `max_words` most frequent words are kept, of those in at least `min_documents`
    texts; `fields` weighs the fields of items.
    """

    dimensions: int = 128
    max_words: int = 20_000
    min_documents: int = 2
    fields: FieldWeights = field(default_factory=FieldWeights)

    def __post_init__(self) -> None:
        if min(self.dimensions, self.max_words, self.min_documents) < 1:
            raise ValueError("dimensions, max_words and min_documents must be at least 1.")


class TextModel:
    """Maps texts, plain or of items, to unit vectors of `dimensions` numbers (float32)."""

    def __init__(
        self, words: Sequence[str], idf: Floats, projection: Floats, fields: FieldWeights | None = None
    ) -> None:
        """`idf` (n_words,), `projection` (n_words, dimensions)."""
        if not len(words) == idf.shape[0] == projection.shape[0]:
            raise ValueError("words, idf and projection must have the same length.")
        self._words = list(words)
        self._idf = idf.astype(np.float32)
        self._projection = projection.astype(np.float32)
        self._fields = fields or FieldWeights()
        self._vectorizer = _vectorizer(vocabulary={word: index for index, word in enumerate(words)})
        if words:
            self._vectorizer.idf_ = self._idf

    @property
    def dimensions(self) -> int:
        return int(self._projection.shape[1])

    def encode(self, texts: Sequence[Text]) -> Floats:
        """The vectors of `texts`, (n_texts, dimensions)."""
        if not self._words or not texts:
            return np.zeros((len(texts), self.dimensions), dtype=np.float32)
        rows = _weighted_rows(self._vectorizer, texts, self._fields)
        return unit_rows(np.asarray(rows @ self._projection, dtype=np.float32), _SHORTEST)

    def to_bytes(self) -> bytes:
        header = {"dimensions": self.dimensions, "fields": asdict(self._fields)}
        arrays = {"words": np.array(self._words, dtype=np.str_), "idf": self._idf, "projection": self._projection}
        return dump(_SORT, header, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> TextModel:
        """The model that `to_bytes` packed; ArtefactError where the bytes are damaged or something else."""
        header, arrays = load(data, _SORT)
        try:
            fields = FieldWeights(**header.get("fields", {}))  # models of before there were fields name none
            model = cls(arrays["words"].tolist(), arrays["idf"], arrays["projection"], fields)
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise ArtefactError(f"The arrays of this text model do not fit together: {error}") from error
        if model.dimensions != header.get("dimensions"):
            raise ArtefactError("The header of this text model names another number of dimensions.")
        return model


def fit(texts: Sequence[Text], config: TextConfig, rng: np.random.Generator) -> TextModel:
    """Learn vocabulary, idf and projection from `texts`. Few texts give fewer dimensions, padded with zeros."""
    empty = TextModel([], np.zeros(0, np.float32), np.zeros((0, config.dimensions), np.float32), config.fields)
    # A word that few texts share places them beside each other; below a handful of texts every word is rare.
    least = config.min_documents if len(texts) >= 10 * config.min_documents else 1
    vectorizer = _vectorizer(max_features=config.max_words, min_df=least)
    try:
        vectorizer.fit(["\n".join(_read(text)) for text in texts])
    except ValueError:  # "empty vocabulary": no text has a word
        return empty
    rows = _weighted_rows(vectorizer, texts, config.fields)
    rank = min(config.dimensions, min(rows.shape) - 1)
    if rank < 1:  # one text, or one word: nothing to reduce
        projection = np.eye(rows.shape[1], config.dimensions, dtype=np.float32)
    else:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.preprocessing import normalize

        svd = TruncatedSVD(rank, random_state=int(rng.integers(2**31)))
        svd.fit(normalize(rows))
        projection = np.zeros((rows.shape[1], config.dimensions), dtype=np.float32)
        projection[:, :rank] = svd.components_.T
    return TextModel(vectorizer.get_feature_names_out().tolist(), vectorizer.idf_, projection, config.fields)


def _read(text: Text) -> tuple[str, str, str, str, str]:
    """What is counted: of a plain text all of it, of an item its title, description, category and tags."""
    if isinstance(text, str):
        return text, "", "", "", ""
    categories = " ".join(_label(name) for name in text.category.split("|"))
    tags = " ".join(f"{_label(tag)} {tag}" for tag in text.tags)
    return "", text.title, text.description, categories, tags


def _label(name: str) -> str:
    joined = re.sub(r"\s+", "_", name.strip())
    return _LABEL + joined if joined else ""


def _weighted_rows(vectorizer: TfidfVectorizer, texts: Sequence[Text], fields: FieldWeights) -> sp.csr_matrix:
    """The weighted sum of the fields' TF-IDF rows, (n_texts, n_words)."""
    import scipy.sparse as sp

    weights = (1.0, fields.title, fields.description, fields.category, fields.tags)
    columns = zip(*(_read(text) for text in texts), strict=True)
    parts = [
        np.float32(weight) * vectorizer.transform(column)
        for weight, column in zip(weights, columns, strict=True)
        if weight and any(column)
    ]
    return sp.csr_matrix(sum(parts[1:], parts[0]) if parts else vectorizer.transform([""] * len(texts)))


def _vectorizer(**settings: object) -> TfidfVectorizer:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        stop_words="english",
        sublinear_tf=True,
        token_pattern=_TOKEN,
        dtype=np.float32,
        strip_accents="unicode",
        **settings,
    )
