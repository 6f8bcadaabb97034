from __future__ import annotations

import numpy as np
import pytest

from ml import text
from ml.artefacts import ArtefactError, dump
from ml.text import TextConfig, TextModel

CRIME = ["a detective hunts a gang of bank robbers", "bank robbers plan one last heist", "the detective and the heist"]
LOVE = ["a wedding in a village", "love letters before the wedding", "village romance and love"]
TEXTS = (CRIME + LOVE) * 4


@pytest.fixture
def model(rng) -> TextModel:
    return text.fit(TEXTS, TextConfig(dimensions=16), rng)


def test_texts_of_a_kind_are_nearer_to_each_other_though_they_share_no_word(rng):
    model = text.fit(TEXTS, TextConfig(dimensions=2), rng)
    vectors = model.transform(["the heist of the bank robbers", "detective against gang", "romance in the village"])
    assert vectors[0] @ vectors[1] > 0.9
    assert abs(vectors[0] @ vectors[2]) < 0.1


def test_vectors_have_the_dimensions_of_the_config(model):
    assert model.transform(["a heist"]).shape == (1, 16)
    assert model.transform(["a heist"]).dtype == np.float32


def test_vectors_have_unit_length_or_are_zero(model):
    vectors = model.transform(["detective", "zzz qqq", ""])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 0, 0], abs=1e-5)


def test_the_same_seed_gives_the_same_vectors():
    first = text.fit(TEXTS, TextConfig(), np.random.default_rng(3)).transform(CRIME)
    assert (first == text.fit(TEXTS, TextConfig(), np.random.default_rng(3)).transform(CRIME)).all()


@pytest.mark.parametrize("texts", [[], [""], ["the"], ["one"], ["one", "one"], ["heist film"], ["heist", "wedding"]])
def test_few_texts_give_fewer_dimensions_padded_with_zeros(rng, texts):
    vectors = text.fit(texts, TextConfig(dimensions=8), rng).transform([*texts, "heist"])
    assert vectors.shape == (len(texts) + 1, 8)
    assert np.isfinite(vectors).all()


def test_two_texts_that_share_no_word_stay_apart(rng):
    first, second = text.fit(["heist", "wedding"], TextConfig(dimensions=8), rng).transform(["heist", "wedding"])
    assert first @ second < 0.5


def test_no_texts_give_no_vectors(model):
    assert model.transform([]).shape == (0, 16)


def test_survives_its_bytes(model):
    loaded = TextModel.from_bytes(model.to_bytes())
    assert (loaded.transform(TEXTS) == model.transform(TEXTS)).all()


def test_an_empty_model_survives_its_bytes(rng):
    empty = text.fit([""], TextConfig(dimensions=8), rng)
    assert TextModel.from_bytes(empty.to_bytes()).transform(["heist"]).tolist() == [[0.0] * 8]


def test_refuses_truncated_bytes(model):
    data = model.to_bytes()
    for length in (0, 1, len(data) // 2, len(data) - 1):
        with pytest.raises(ArtefactError):
            TextModel.from_bytes(data[:length])


def test_refuses_arrays_that_do_not_fit_together():
    arrays = {"words": np.array(["a", "b"]), "idf": np.ones(3), "projection": np.ones((3, 4))}
    with pytest.raises(ArtefactError, match="fit together"):
        TextModel.from_bytes(dump("text", {"dimensions": 4}, arrays))


def test_refuses_a_header_of_another_size():
    arrays = {"words": np.array(["a"]), "idf": np.ones(1), "projection": np.ones((1, 4))}
    with pytest.raises(ArtefactError, match="dimensions"):
        TextModel.from_bytes(dump("text", {"dimensions": 5}, arrays))


def test_refuses_a_config_that_cannot_be():
    with pytest.raises(ValueError, match="at least 1"):
        TextConfig(dimensions=0)
