from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp

from ml import als, artefacts, ease, item_graph, popularity, ranker
from ml.als import AlsConfig, AlsScorer
from ml.artefacts import ArtefactError
from ml.content import ContentScorer
from ml.model_files import About, Model, from_bytes, open_mapped, save, to_bytes
from ml.ranker import Ranker, RankerConfig
from tests.ml.planted import planted

ITEMS = np.arange(80) * 3 + 5
ABOUT = About(ITEMS, (100.0, 200.5))


def make_als(observed: sp.csr_matrix) -> AlsScorer:
    config = AlsConfig(dimensions=4, epochs=2)
    factors = als.fit(observed, config, np.random.default_rng(0))
    return AlsScorer(factors.items, factors.unobserved, config)


MAKERS: dict[str, Callable[[sp.csr_matrix], Model]] = {
    "sparse": item_graph.fit,
    "dense": ease.fit,
    "als": make_als,
    "popularity": popularity.fit,
    "content": lambda observed: ContentScorer(np.random.default_rng(0).random((80, 5)).astype(np.float32)),
}


@pytest.fixture
def observed(rng) -> sp.csr_matrix:
    return planted(rng)


@pytest.fixture(params=MAKERS)
def model(request, observed) -> Model:
    return MAKERS[request.param](observed)


def through_bytes(model: Model, about: About, path) -> Model:
    return from_bytes(to_bytes(model, about), about)


def through_a_file(model: Model, about: About, path) -> Model:
    save(path, model, about)
    return open_mapped(path, about)


@pytest.mark.parametrize("keep", [through_bytes, through_a_file])
def test_a_model_that_was_kept_says_the_same(model, keep, observed, tmp_path):
    kept = keep(model, ABOUT, tmp_path / "model.npz")
    assert type(kept) is type(model)
    # Where a mapped array lies decides how its products are summed up.
    np.testing.assert_allclose(kept.score(observed), model.score(observed), rtol=1e-4, atol=1e-5)
    history = observed[3]
    arguments = history.indices, history.data, np.array([1, 4, 7])
    np.testing.assert_allclose(kept.carried(*arguments), model.carried(*arguments), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("keep", [through_bytes, through_a_file])
def test_so_does_a_ranker(keep, rng, tmp_path):
    features = rng.random((50, 6, 2)).astype(np.float32)
    relevant = np.eye(6, dtype=bool)[features[:, :, 0].argmax(axis=1)]
    learned = ranker.fit(features, relevant, ["é", "b"], RankerConfig(trees=3, least=5), seed=0)
    kept = keep(learned, About(), tmp_path / "model.npz")
    assert isinstance(kept, Ranker)
    assert kept.features == ("é", "b")
    np.testing.assert_array_equal(kept.score(features), learned.score(features))


def test_a_file_is_mapped_and_cannot_be_written_through(observed, tmp_path):
    kept = through_a_file(make_als(observed), ABOUT, tmp_path / "model.npz")
    assert isinstance(kept.items, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        kept.items[0, 0] = 1


def test_the_header_says_what_it_was_trained_on(model):
    header, _ = artefacts.load(to_bytes(model, ABOUT), ["sparse", "dense", "als", "popularity", "content"])
    assert header["window"] == [100.0, 200.5]
    assert header["vocabulary"] == artefacts.checksum(ITEMS)


class TestRefuses:
    @pytest.mark.parametrize("items", [ITEMS[::-1], ITEMS + 1, ITEMS[:-1]])
    def test_other_items_than_it_was_trained_on(self, model, items, tmp_path):
        with pytest.raises(ArtefactError, match="of other items"):
            from_bytes(to_bytes(model, ABOUT), About(items))
        save(tmp_path / "model.npz", model, ABOUT)
        with pytest.raises(ArtefactError, match="of other items"):
            open_mapped(tmp_path / "model.npz", About(items))

    def test_a_vocabulary_of_another_length(self, model):
        with pytest.raises(ArtefactError, match="80 items"):
            to_bytes(model, About(ITEMS[:3]))

    def test_weights_that_point_outside_of_the_matrix(self):
        arrays = {
            "data": np.ones(1, np.float32), "indices": np.array([9], np.int32), "indptr": np.array([0, 1, 1], np.int32),
        }  # fmt: skip
        with pytest.raises(ArtefactError, match="do not fit"):
            from_bytes(artefacts.dump("sparse", {}, arrays), About())

    def test_factors_of_other_dimensions_than_the_config_says(self, observed):
        _, arrays = artefacts.load(to_bytes(make_als(observed), ABOUT), "als")
        header = {"config": {"dimensions": 7}, "unobserved": 0.1}
        with pytest.raises(ArtefactError, match="7 dimensions"):
            from_bytes(artefacts.dump("als", header, arrays), About())

    def test_missing_arrays(self):
        with pytest.raises(ArtefactError, match="do not fit"):
            from_bytes(artefacts.dump("popularity", {}, {}), About())
