from __future__ import annotations

import mmap
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from ml import als, artefacts, ease, item_graph, popularity, ranker
from ml.als import AlsConfig, AlsScorer
from ml.artefacts import ArtefactError
from ml.blend import BlendScorer
from ml.collaborative import CollaborativeConfig
from ml.linear import Unweighted
from ml.model_files import UNCHECKED, About, Model, Vocabulary, from_bytes, open_mapped, save, to_bytes
from ml.ranker import Ranker, RankerConfig
from ml.ranker_training import learn
from ml.recipe import RecipeConfig, Trained, featurizer, train, weighted
from ml.scorers import Scorer
from tests.ml.planted import leave_one_out, planted

ITEMS = np.arange(80) * 3 + 5
ABOUT = About(ITEMS, (100.0, 200.5), {"user_exponent": 0.6, "epochs": 3})


def make_als(observed: sp.csr_matrix) -> AlsScorer:
    config = AlsConfig(dimensions=4, epochs=2)
    factors = als.fit(observed, config, np.random.default_rng(0))
    return AlsScorer(factors.items, factors.unobserved, config)


def make_ranker(rng: np.random.Generator) -> Ranker:
    features = rng.random((50, 6, 2)).astype(np.float32)
    relevant = np.eye(6, dtype=bool)[features[:, :, 0].argmax(axis=1)]
    return ranker.fit(features, relevant, ["é", "level"], RankerConfig(trees=3, least=5), seed=0)


def make_blend(observed: sp.csr_matrix) -> BlendScorer:
    counts, dense = popularity.fit(observed), ease.fit(observed)
    parts: dict[str, Scorer] = {
        "popularity": counts,
        "ease": Unweighted(dense),
        "ease_recent": dense,
        "als": make_als(observed),
    }
    return BlendScorer(parts, {"ease": 1.0, "popularity": 0.1, "ease_recent": 0.5, "als": 0.0})


@pytest.fixture
def observed(rng) -> sp.csr_matrix:
    return planted(rng)


def through_bytes(model: Model, about: About, path: Path, items: Vocabulary) -> tuple[Model, About]:
    return from_bytes(to_bytes(model, about), items)


def through_a_file(model: Model, about: About, path: Path, items: Vocabulary) -> tuple[Model, About]:
    save(path, model, about)
    return open_mapped(path, items)


Way = Callable[[Model, About, Path, Vocabulary], tuple[Model, About]]


@pytest.fixture(params=[through_bytes, through_a_file])
def way(request) -> Way:
    return request.param


@pytest.fixture
def keep(way, tmp_path) -> Callable[..., tuple[Model, About]]:
    def keep(model: Model, about: About = ABOUT, items: Vocabulary = ITEMS) -> tuple[Model, About]:
        return way(model, about, tmp_path / "model.npz", items)

    return keep


def test_a_ranker_that_was_kept_says_the_same(keep, rng):
    learned = replace(make_ranker(rng), of_blend=0.2)
    features = rng.random((5, 6, 2)).astype(np.float32)
    kept, about = keep(learned, About(config=asdict(RankerConfig(trees=3))), UNCHECKED)
    assert isinstance(kept, Ranker)
    assert kept.features == ("é", "level")
    np.testing.assert_array_equal(kept.score(features), learned.score(features))
    assert about.items is None
    assert about.config["trees"] == 3


def test_a_blend_comes_back_whole(keep, observed):
    blend = make_blend(observed)
    kept, _ = keep(blend)
    assert isinstance(kept, BlendScorer)
    assert {name: type(part) for name, part in kept.parts.items()} == {n: type(part) for n, part in blend.parts.items()}
    assert kept.weights == blend.weights


def times_of(observed: sp.csr_matrix) -> sp.csr_matrix:
    places = np.arange(observed.nnz, dtype=np.float32) + 1
    return sp.csr_matrix((places, observed.indices, observed.indptr), shape=observed.shape)


def make_trained(observed: sp.csr_matrix, *, dated: bool) -> Trained:
    """What a recipe makes, with a ranker, as popularity alone is easily beaten."""
    models = CollaborativeConfig(small_als=(AlsConfig(4, epochs=2),), ease_regularisations=(200.0,))
    config = RecipeConfig(models, share=0.2, samples=1, half_lives=(3.0,), depth=40)
    times = times_of(observed) if dated else None
    trained = train(observed, config, 0, times=times)
    weights = {"popularity": 1.0, "item_graph": 0.01}
    making = featurizer(trained.models, weights, 40)
    known, hidden = leave_one_out(observed, np.random.default_rng(0))
    learned = learn(making, weighted(known, times, trained.half_life), hidden, RankerConfig(trees=3, least=5), 20, 0)
    assert learned.ranker is not None
    return replace(trained, weights=weights, ranker=learned.ranker, why_no_ranker="")


@pytest.mark.parametrize("dated", [False, True])
def test_all_that_a_recipe_made_recommends_the_same(keep, dated, observed):
    trained = make_trained(observed, dated=dated)
    kept, _ = keep(trained)
    assert isinstance(kept, Trained)
    times = times_of(observed) if dated else None
    before, after = (one.recommend(observed, times) for one in (trained, kept))
    assert list(after) == list(before)
    assert {"blend", "ranker"} <= set(after)
    for name, items in before.items():
        np.testing.assert_array_equal(after[name], items)
    assert kept.models.choices == trained.models.choices
    assert (kept.seconds, kept.half_life, kept.depth) == (trained.seconds, 3.0 if dated else None, 40)


def test_a_recipe_without_ease_and_ranker_is_kept_with_why(keep, observed):
    trained = make_trained(observed, dated=False)
    choices = replace(trained.models.choices, ease=None)
    models = replace(trained.models, ease=None, choices=choices)
    kept, _ = keep(replace(trained, models=models, ranker=None, why_no_ranker="It did not win."))
    assert isinstance(kept, Trained)
    assert (kept.models.ease, kept.ranker, kept.why_no_ranker) == (None, None, "It did not win.")
    assert kept.models.choices == choices


def test_a_model_that_is_in_a_blend_twice_is_kept_once(keep, observed):
    kept, _ = keep(make_blend(observed))
    assert isinstance(kept, BlendScorer)
    unweighted = kept.parts["ease"]
    assert isinstance(unweighted, Unweighted)
    assert unweighted.scorer is kept.parts["ease_recent"]


def test_what_was_said_about_it_comes_back(keep, observed):
    for items in (ITEMS, UNCHECKED):
        _, about = keep(item_graph.fit(observed), items=items)
        assert about.items is not None
        assert about.items.tolist() == ITEMS.tolist()
        assert (about.window, about.config, about.n_items) == (ABOUT.window, ABOUT.config, 80)


def test_what_was_not_said_is_not_there(keep, observed):
    _, about = keep(item_graph.fit(observed), About(ITEMS))
    assert (about.window, about.config) == (None, {})


@pytest.mark.parametrize("part", ["als", "ease_recent", "popularity"])
def test_a_file_is_mapped_and_cannot_be_written_through(part, observed, tmp_path):
    kept, _ = through_a_file(make_blend(observed), ABOUT, tmp_path / "model.npz", ITEMS)
    assert isinstance(kept, BlendScorer)
    (array,) = (each for each in vars(kept.parts[part]).values() if isinstance(each, np.ndarray))
    assert isinstance(array.base, mmap.mmap)
    with pytest.raises(ValueError, match="read-only"):
        array[...] = 1


def test_the_header_says_what_it_was_trained_on(observed):
    header, _ = artefacts.load(to_bytes(make_als(observed), ABOUT), "model")
    assert header["window"] == [100.0, 200.5]
    assert header["vocabulary"] == artefacts.checksum(ITEMS)
    assert header["n_items"] == 80


def changed(model: Model, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> bytes:
    """The bytes of a model whose header and arrays were changed."""
    about = About() if isinstance(model, Ranker) else ABOUT
    header, arrays = artefacts.load(to_bytes(model, about), "model")
    change(header, arrays)
    return artefacts.dump("model", header, arrays)


def as_trees(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


class TestRefuses:
    @pytest.mark.parametrize("items", [ITEMS[::-1], ITEMS + 1, ITEMS[:-1], ITEMS[:0]])
    def test_other_items_than_it_was_trained_on(self, keep, items, observed):
        with pytest.raises(ArtefactError, match="of other items"):
            keep(item_graph.fit(observed), items=items)

    def test_to_say_that_a_ranker_is_of_these_items(self, keep, rng):
        with pytest.raises(ArtefactError, match="of other items"):
            keep(make_ranker(rng), About(), ITEMS)

    @pytest.mark.parametrize("items", [ITEMS[:3], None])
    def test_to_keep_another_number_of_ids(self, items, observed):
        with pytest.raises(ArtefactError, match="80 items"):
            to_bytes(item_graph.fit(observed), About(items))

    def test_to_keep_what_it_does_not_know(self):
        class Foreign:
            n_items = 80

        with pytest.raises(ArtefactError, match="no way to keep a Foreign"):
            to_bytes(Foreign(), ABOUT)

    def test_to_keep_times_and_configs_that_are_none(self, observed):
        for about in (About(ITEMS, (0.0, np.nan)), About(ITEMS, config={"x": object()})):
            with pytest.raises(ArtefactError, match="JSON"):
                to_bytes(item_graph.fit(observed), about)

    def test_numbers_that_are_not_finite(self, observed, tmp_path):
        blend = make_blend(observed)
        vars(blend.parts["popularity"])["counts"][3] = np.nan
        with pytest.raises(ArtefactError, match="not finite"):
            to_bytes(blend, ABOUT)
        with pytest.raises(ArtefactError, match="not finite"):
            save(tmp_path / "model.npz", blend, ABOUT)

    def test_what_is_no_model(self):
        with pytest.raises(ArtefactError, match="not a 'model' artefact"):
            from_bytes(artefacts.dump("text", {}, {}), UNCHECKED)

    def test_a_blend_that_is_cut_short(self, observed):
        data = to_bytes(make_blend(observed), ABOUT)
        for length in range(0, len(data), len(data) // 50):
            with pytest.raises(ArtefactError):
                from_bytes(data[:length], ITEMS)

    def check(self, model: Model, match: str, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
        with pytest.raises(ArtefactError, match=match):
            from_bytes(changed(model, change), UNCHECKED)

    def test_an_unknown_sort(self, observed):
        self.check(item_graph.fit(observed), "do not fit.*'forest'", lambda h, a: h["models"][0].update(sort="forest"))

    @pytest.mark.parametrize("name", ["models", "window", "config", "vocabulary"])
    def test_a_header_without_what_is_due(self, name, observed):
        self.check(item_graph.fit(observed), f"do not fit.*{name}", lambda h, a: h.pop(name))

    @pytest.mark.parametrize(("name", "value"), [("window", [1.0]), ("window", 7), ("config", 7), ("models", [])])
    def test_a_header_of_something_else(self, name, value, observed):
        self.check(item_graph.fit(observed), "do not fit", lambda h, a: h.update({name: value}))

    def test_ids_that_are_not_those_of_the_header(self, observed):
        self.check(item_graph.fit(observed), "not those that the header", lambda h, a: a.update(item_ids=ITEMS + 1))

    def test_a_model_of_more_items_than_ids(self, observed):
        def change(header: dict[str, Any], arrays: dict[str, Any]) -> None:
            arrays["item_ids"] = ITEMS[:3]
            header["vocabulary"] = artefacts.checksum(ITEMS[:3])

        self.check(item_graph.fit(observed), "80 items, kept with the ids of 3", change)

    def test_weights_that_point_outside_of_the_matrix(self, observed):
        self.check(item_graph.fit(observed), "do not fit", lambda h, a: a["0/indices"].fill(99))

    def test_weights_that_are_no_square(self, observed):
        self.check(ease.fit(observed), r"\(80, 79\)", lambda h, a: a.update({"0/weights": a["0/weights"][:, 1:]}))

    def test_counts_of_two_dimensions(self, observed):
        self.check(popularity.fit(observed), r"\(80, 1\)", lambda h, a: a.update({"0/counts": np.zeros((80, 1))}))

    def test_factors_of_other_dimensions_than_the_config_says(self, observed):
        self.check(make_als(observed), "7 dimensions", lambda h, a: h["models"][0]["config"].update(dimensions=7))

    def test_missing_arrays(self, observed):
        self.check(popularity.fit(observed), "do not fit.*counts", lambda h, a: a.pop("0/counts"))

    @pytest.mark.parametrize("place", [-1, 1, 7, "0", None, 0.5])
    def test_parts_that_are_not_before_what_is_made_of_them(self, place, observed):
        model = Unweighted(popularity.fit(observed))
        self.check(model, "no model is at the place", lambda h, a: h["models"][1].update(of=place))

    def test_parts_of_different_items(self, observed):
        def change(header: dict[str, Any], arrays: dict[str, Any]) -> None:
            arrays["0/counts"] = arrays["0/counts"][1:]

        self.check(make_blend(observed), "parts of a blend are of the same items", change)

    def test_weights_of_parts_that_there_are_not(self, observed):
        self.check(make_blend(observed), "that there are not", lambda h, a: h["models"][-1]["weights"].update(x=1.0))

    @pytest.mark.parametrize("leaf", ["nan", "-inf", "1e999", "1e30"])
    def test_a_ranker_whose_leaves_are_not_finite(self, leaf, rng):
        def change(header: dict[str, Any], arrays: dict[str, Any]) -> None:
            text = arrays["0/trees"].tobytes().decode()
            size, value = re.findall(r"(?:tree_sizes|leaf_value)=([^ \n]+)", text)[:2]
            text = text.replace(f"tree_sizes={size}", f"tree_sizes={int(size) + len(leaf) - len(value)}")
            arrays["0/trees"] = as_trees(text.replace(f"leaf_value={value}", f"leaf_value={leaf}", 1))

        self.check(make_ranker(rng), "do not fit.*finite", change)

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_a_ranker_that_is_cut_short(self, share, rng):
        def change(header: dict[str, Any], arrays: dict[str, Any]) -> None:
            arrays["0/trees"] = arrays["0/trees"][: int(share * len(arrays["0/trees"]))]

        self.check(make_ranker(rng), "do not fit.*not a whole one", change)

    @pytest.mark.parametrize("text", ["", "tree", "no trees\nend of trees\n"])
    def test_a_ranker_of_other_text(self, text, rng):
        self.check(make_ranker(rng), "no text of LightGBM", lambda h, a: a.update({"0/trees": as_trees(text)}))

    @pytest.mark.parametrize("names", [["level", "é"], ["é", "level", "more"], ["é"], ["e", "level"]])
    def test_a_ranker_of_other_features(self, names, rng):
        self.check(make_ranker(rng), "trees over 'é level'", lambda h, a: h["models"][0].update(features=names))

    @pytest.mark.parametrize(
        ("part", "value", "message"),
        [
            ("models", {}, "missing"),
            ("models", {"item_graph": 0, "ials": 1, "counts": 9}, "no PopularityScorer is at the place 9"),
            ("models", {"item_graph": 1, "ials": 1, "counts": 3}, "no LinearScorer is at the place 1"),
            ("weights", {"forest": 1.0}, "parts that there are not"),
            ("weights", {"popularity": 1.0}, "other features"),
            ("depth", 0, "depth must be"),
            ("half_life", 3.0, "both come of times"),
            ("half_life", -3.0, "half_life must be"),
            ("half_life", "x", "do not fit"),
            ("depth", 1.5, "depth must be"),
            ("choices", {}, "do not fit"),
        ],
    )
    def test_all_that_a_recipe_made_where_it_does_not_fit(self, part, value, message, observed):
        trained = make_trained(observed, dated=False)
        self.check(trained, message, lambda header, _: header["models"][-1].update({part: value}))

    def test_a_ranker_as_a_part(self, rng):
        self.check(
            make_ranker(rng), "a Ranker is no part", lambda h, a: h["models"].append({"sort": "unweighted", "of": 0})
        )
