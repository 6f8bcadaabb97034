from __future__ import annotations

import numpy as np
import pytest

from ml.als import AlsConfig
from ml.artefacts import ArtefactError, dump
from recsys.recommend.models import ModelVersion
from recsys.recommend.serving import FactorModel, serving_versions, text_model

MODEL = FactorModel(gram=np.eye(64, dtype=np.float32), n_items=7, config=AlsConfig(unobserved=0.2))


def test_a_factor_model_survives_its_bytes():
    loaded = FactorModel.from_bytes(MODEL.to_bytes())
    assert (loaded.gram == MODEL.gram).all()
    assert (loaded.n_items, loaded.config) == (7, MODEL.config)


@pytest.mark.parametrize(
    ("header", "gram"),
    [
        ({}, np.eye(64)),
        ({"n_items": 7, "config": {"magic": 1}}, np.eye(64)),
        ({"n_items": 7, "config": {"unobserved": -1}}, np.eye(64)),
        ({"n_items": 7, "config": {}}, np.eye(32)),
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
