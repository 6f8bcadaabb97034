from __future__ import annotations

import numpy as np
import pytest

from ml import text
from ml.artefacts import ArtefactError, dump
from ml.text import FieldWeights, ItemText, TextConfig, TextModel

CRIME = ["a detective hunts a gang of bank robbers", "bank robbers plan one last heist", "the detective and the heist"]
LOVE = ["a wedding in a village", "love letters before the wedding", "village romance and love"]
TEXTS = (CRIME + LOVE) * 4


@pytest.fixture
def model(rng) -> TextModel:
    return text.fit(TEXTS, TextConfig(dimensions=16), rng)


def test_texts_of_a_kind_are_nearer_to_each_other_though_they_share_no_word(rng):
    model = text.fit(TEXTS, TextConfig(dimensions=2), rng)
    vectors = model.encode(["the heist of the bank robbers", "detective against gang", "romance in the village"])
    assert vectors[0] @ vectors[1] > 0.9
    assert abs(vectors[0] @ vectors[2]) < 0.1


def test_vectors_have_the_dimensions_of_the_config(model):
    assert model.encode(["a heist"]).shape == (1, 16)
    assert model.encode(["a heist"]).dtype == np.float32


def test_vectors_have_unit_length_or_are_zero(model):
    vectors = model.encode(["detective", "zzz qqq", ""])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 0, 0], abs=1e-5)


def test_the_same_seed_gives_the_same_vectors():
    first = text.fit(TEXTS, TextConfig(), np.random.default_rng(3)).encode(CRIME)
    assert (first == text.fit(TEXTS, TextConfig(), np.random.default_rng(3)).encode(CRIME)).all()


@pytest.mark.parametrize("texts", [[], [""], ["the"], ["one"], ["one", "one"], ["heist film"], ["heist", "wedding"]])
def test_few_texts_give_fewer_dimensions_padded_with_zeros(rng, texts):
    vectors = text.fit(texts, TextConfig(dimensions=8), rng).encode([*texts, "heist"])
    assert vectors.shape == (len(texts) + 1, 8)
    assert np.isfinite(vectors).all()


def test_two_texts_that_share_no_word_stay_apart(rng):
    first, second = text.fit(["heist", "wedding"], TextConfig(dimensions=8), rng).encode(["heist", "wedding"])
    assert first @ second < 0.5


def test_no_texts_give_no_vectors(model):
    assert model.encode([]).shape == (0, 16)


def test_survives_its_bytes(model):
    loaded = TextModel.from_bytes(model.to_bytes())
    assert (loaded.encode(TEXTS) == model.encode(TEXTS)).all()


def test_an_empty_model_survives_its_bytes(rng):
    empty = text.fit([""], TextConfig(dimensions=8), rng)
    assert TextModel.from_bytes(empty.to_bytes()).encode(["heist"]).tolist() == [[0.0] * 8]


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


def test_a_text_of_an_item_reads_like_sentences():
    item = ItemText(title="Heat", description=" A last heist. ", category="Crime|Drama", tags=("bank", "los angeles"))
    assert str(item) == "Heat. Crime, Drama. bank, los angeles. A last heist."
    assert str(ItemText()) == ""


def test_plain_texts_and_items_are_one_vocabulary(rng):
    model = text.fit(TEXTS, TextConfig(dimensions=16), rng)
    plain, item = model.encode(["bank robbers", ItemText(description="bank robbers")])
    assert plain == pytest.approx(item, abs=1e-6)


def cosines_of(items: list[ItemText], config: TextConfig) -> np.ndarray:
    """As they are without reduction: the one dimension that is lost is that of a word that no item has."""
    rarest = [ItemText("quixotic", "quixotic", "quixotic", ("quixotic",))]
    vectors = text.fit(items * 3 + rarest, config, np.random.default_rng(4)).encode(items)
    return vectors @ vectors.T


def only(field: str) -> FieldWeights:
    return FieldWeights(**{name: float(name == field) for name in ("title", "description", "category", "tags")})


ITEMS = [
    ItemText(title="Heat", description="bank robbers", category="Crime|Drama", tags=("time travel",)),
    ItemText(title="Heat", description="wedding", category="Drama", tags=("travel light",)),
    ItemText(title="Vows", description="robbers", category="Crime|Comedy", tags=("time travel", "space")),
]


@pytest.mark.parametrize(
    ("field", "nearer"), [("title", (0, 1)), ("description", (0, 2)), ("category", (0, 1)), ("tags", (0, 2))]
)
def test_a_field_alone_decides_where_the_others_weigh_nothing(field, nearer):
    cosines = cosines_of(ITEMS, TextConfig(fields=only(field)))
    pairs = [(0, 1), (0, 2), (1, 2)]
    assert max(pairs, key=lambda pair: cosines[pair]) == nearer


def test_a_long_description_does_not_drown_a_category():
    words = np.random.default_rng(1).permutation([f"word{number}" for number in range(300)])
    items = [
        ItemText(description=" ".join(words[:100]), category="Comedy"),
        ItemText(description=" ".join(words[100:200]), category="Comedy"),
        ItemText(description=" ".join(words[200:]), category="Horror"),
        ItemText(description="short", category="Horror"),
    ]
    cosines = cosines_of(items, TextConfig())
    assert cosines[0, 1] > 0.4
    assert abs(cosines[0, 2]) < 0.1


def test_a_category_is_whole_and_neither_a_word_nor_a_stop_word(rng):
    items = [ItemText(category="Science Fiction"), ItemText(category="Fiction"), ItemText(category="Fire|Other")]
    assert cosines_of(items, TextConfig()) == pytest.approx(np.eye(3), abs=1e-3)
    model = text.fit(items, TextConfig(dimensions=4), rng)
    assert not model.encode(["fire science fiction other"]).any()
    assert model.encode([ItemText(category=" fire ")]).any()


def test_categories_that_differ_by_a_sign_differ():
    items = [ItemText(category=name) for name in ("C", "C++", "C#", "Café")]
    assert cosines_of(items, TextConfig()) == pytest.approx(np.eye(4), abs=1e-3)


def test_a_tag_says_its_words_too(rng):
    model = text.fit([ItemText(tags=("time travel",)), ItemText(description="space")], TextConfig(dimensions=8), rng)
    assert model.encode(["travel", "time"]).any(axis=1).all()


def test_an_item_without_words_is_zero(rng):
    model = text.fit(ITEMS, TextConfig(dimensions=4), rng)
    assert not model.encode([ItemText(), ItemText(category="| |", tags=("", " ")), ""]).any()


def test_the_weights_of_fields_survive_their_bytes(rng):
    fields = FieldWeights(title=0, category=3)
    model = text.fit(ITEMS, TextConfig(dimensions=4, fields=fields), rng)
    loaded = TextModel.from_bytes(model.to_bytes())
    assert (loaded.encode(ITEMS) == model.encode(ITEMS)).all()
    assert not loaded.encode([ItemText(title="Heat")]).any()


def test_reads_models_of_before_there_were_fields():
    arrays = {"words": np.array(["heist"]), "idf": np.ones(1), "projection": np.ones((1, 4))}
    assert TextModel.from_bytes(dump("text", {"dimensions": 4}, arrays)).encode([ItemText(title="Heist")]).any()


@pytest.mark.parametrize("fields", [{"title": -1}, {"colour": 1}, 7])
def test_refuses_weights_of_fields_that_cannot_be(fields):
    arrays = {"words": np.array(["a"]), "idf": np.ones(1), "projection": np.ones((1, 4))}
    with pytest.raises(ArtefactError):
        TextModel.from_bytes(dump("text", {"dimensions": 4, "fields": fields}, arrays))


@pytest.mark.parametrize("wrong", [(-1, 1, 1, 1), (0, 0, 0, 0), (float("nan"), 1, 1, 1), (float("inf"), 1, 1, 1)])
def test_refuses_field_weights_that_are_no_weights(wrong):
    with pytest.raises(ValueError, match="fields"):
        FieldWeights(*wrong)


def test_plain_texts_are_placed_as_by_the_pipeline_of_scikit_learn():
    from sklearn.feature_extraction.text import TfidfVectorizer

    rows = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit_transform(TEXTS)
    reference = (rows @ rows.T).toarray()
    model = text.fit(TEXTS, TextConfig(dimensions=40), np.random.default_rng(1))  # no dimension is lost
    vectors = model.encode(TEXTS)
    assert vectors @ vectors.T == pytest.approx(reference, abs=0.02)
