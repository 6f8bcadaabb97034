from __future__ import annotations

import numpy as np
import pytest

from ml.als import AlsConfig, ItemSide
from ml.artefacts import ArtefactError, dump
from recsys.recommend.models import ModelVersion
from recsys.recommend.serving import FactorModel, serving_versions, text_model

MODEL = FactorModel(ItemSide(np.eye(64, dtype=np.float32), 7, 0.01), AlsConfig(unobserved=5.0))


def test_a_factor_model_survives_its_bytes():
    loaded = FactorModel.from_bytes(MODEL.to_bytes())
    assert (loaded.side.gram == MODEL.side.gram).all()
    assert (loaded.side.n_items, loaded.side.unobserved, loaded.config) == (7, 0.01, MODEL.config)


@pytest.mark.parametrize(
    ("header", "gram"),
    [
        ({}, np.eye(64)),
        ({"n_items": 7, "unobserved": 0.01, "config": {"magic": 1}}, np.eye(64)),
        ({"n_items": 7, "unobserved": 0.01, "config": {"unobserved": -1}}, np.eye(64)),
        ({"n_items": 7, "unobserved": 0.01, "config": {}}, np.eye(32)),
    ],
)
def test_refuses_what_is_no_factor_model_of_this_size(header, gram):
    with pytest.raises(ArtefactError):
        FactorModel.from_bytes(dump("cf", header, {"gram": gram}))


@pytest.mark.django_db
def test_names_the_serving_versions_alone(django_assert_num_queries):
    ModelVersion.objects.create(kind="cf", status="retired")
    serving = ModelVersion.objects.create(kind="cf", status="serving")
    ModelVersion.objects.create(kind="content")
    with django_assert_num_queries(1):
        assert serving_versions() == {"cf": serving.pk}


@pytest.mark.django_db
def test_a_model_without_bytes_is_refused():
    version = ModelVersion.objects.create(kind="content", status="serving")
    with pytest.raises(ArtefactError):
        text_model(version.pk)
