from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from ml import text
from ml.encoders import Encoder, MissingPackageError, SentenceConfig, SentenceEncoder
from ml.text import ItemText, TextConfig

TEXTS = ["a heist in a bank", "bank robbers", "a wedding in the village"]


class FakeTransformer:
    """Four numbers of each text: how often a, b, e and n occur in it."""

    made: list[tuple[str, str | None]] = []
    asked: list[list[str]] = []

    def __init__(self, model: str, device: str | None = None) -> None:
        self.made.append((model, device))

    def encode(self, texts: list[str], **settings: object) -> np.ndarray:
        assert settings == {"batch_size": 32, "convert_to_numpy": True, "show_progress_bar": False}
        self.asked.append(list(texts))
        return np.array([[text.count(letter) for letter in "aben"] for text in texts], dtype=np.float64)


@pytest.fixture
def transformer(monkeypatch) -> type[FakeTransformer]:
    module = ModuleType("sentence_transformers")
    fake = type("Fake", (FakeTransformer,), {"made": [], "asked": []})
    module.SentenceTransformer = fake  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    return fake


class EncoderContract:
    """What every encoder keeps."""

    @pytest.fixture
    def encoder(self) -> Encoder:
        raise NotImplementedError

    def test_gives_a_unit_row_for_each_text(self, encoder):
        vectors = encoder.encode(TEXTS)
        assert vectors.shape == (3, encoder.dimensions)
        assert vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)

    def test_an_empty_text_is_zero_and_moves_no_other(self, encoder):
        vectors = encoder.encode(["", TEXTS[1], " ", ItemText()])
        assert not vectors[[0, 2, 3]].any()
        assert vectors[1] == pytest.approx(encoder.encode(TEXTS)[1], abs=1e-6)

    def test_no_texts_give_no_rows(self, encoder):
        assert encoder.encode([]).shape == (0, encoder.dimensions)

    def test_reads_items(self, encoder):
        plain, item = encoder.encode(["bank robbers", ItemText(title="bank robbers")])
        assert plain == pytest.approx(item, abs=1e-6)


class TestTextModel(EncoderContract):
    @pytest.fixture
    def encoder(self, rng) -> Encoder:
        return text.fit(TEXTS, TextConfig(dimensions=4), rng)


class TestSentenceEncoder(EncoderContract):
    @pytest.fixture
    def encoder(self, transformer) -> Encoder:
        return SentenceEncoder(SentenceConfig("small"))


def test_loads_the_model_once_and_on_the_device_that_was_named(transformer):
    encoder = SentenceEncoder(SentenceConfig("small", device="cpu"))
    encoder.encode(TEXTS)
    encoder.encode(TEXTS)
    assert transformer.made == [("small", "cpu")]


def test_asks_for_no_empty_text(transformer):
    encoder = SentenceEncoder(SentenceConfig("small"))
    encoder.encode(["", " bank ", ItemText(title="Heat", category="Crime|Drama")])
    assert transformer.asked[-1] == ["bank", "Heat. Crime, Drama"]


def test_cut_vectors_have_unit_length_again(transformer):
    encoder = SentenceEncoder(SentenceConfig("small", dimensions=2))
    assert encoder.dimensions == 2
    assert encoder.encode(["abbb e"])[0] == pytest.approx(np.array([1, 3]) / np.sqrt(10))


def test_refuses_more_dimensions_than_the_model_has(transformer):
    with pytest.raises(ValueError, match="4 dimensions, fewer than the 5"):
        SentenceEncoder(SentenceConfig("small", dimensions=5))


@pytest.mark.parametrize("answer", [np.full((1, 4), np.nan), np.zeros((2, 4)), np.zeros(4)])
def test_refuses_what_is_no_vector_for_each_text(transformer, monkeypatch, answer):
    encoder = SentenceEncoder(SentenceConfig("small"))
    monkeypatch.setattr(transformer, "encode", lambda self, texts, **settings: answer)
    with pytest.raises(ValueError, match="small did not give"):
        encoder.encode(["bank"])


def test_names_the_package_that_is_missing(monkeypatch):
    def nothing(name: str) -> ModuleType:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("ml.encoders.importlib", SimpleNamespace(import_module=nothing))
    with pytest.raises(MissingPackageError, match="pip install sentence-transformers"):
        SentenceEncoder(SentenceConfig("small"))


def test_does_not_blame_the_package_for_what_it_misses_itself(monkeypatch):
    def without_torch(name: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("ml.encoders.importlib", SimpleNamespace(import_module=without_torch))
    with pytest.raises(ModuleNotFoundError, match="torch") as raised:
        SentenceEncoder(SentenceConfig("small"))
    assert not isinstance(raised.value, MissingPackageError)


def test_the_package_is_loaded_by_the_first_encoder_and_not_before(monkeypatch):
    asked: list[str] = []

    def importing(name: str) -> SimpleNamespace:
        asked.append(name)
        return SimpleNamespace(SentenceTransformer=FakeTransformer)

    monkeypatch.setattr("ml.encoders.importlib", SimpleNamespace(import_module=importing))
    config = SentenceConfig("small")
    assert asked == []
    SentenceEncoder(config)
    assert asked == ["sentence_transformers"]


@pytest.mark.parametrize("wrong", [{"model": " "}, {"batch_size": 0}, {"dimensions": 0}])
def test_refuses_a_config_that_cannot_be(wrong):
    with pytest.raises(ValueError):
        SentenceConfig(**{"model": "small", **wrong})
