from __future__ import annotations

import pytest

from recsys.experiments.parameters import check_parameters
from recsys.recommend.parameters import usable_weights
from recsys.recommend.ranking import DEFAULT_WEIGHTS
from recsys.recommend.sources import ALL
from recsys.recommend.sources.given import Affinity, Fresh


def test_every_source_has_a_weight():
    assert set(DEFAULT_WEIGHTS) == set(ALL) | {Affinity.name, Fresh.name}


def test_a_variant_may_set_the_weights_of_sources():
    assert check_parameters({"weights": {"cf": 0.5}}) == []
    assert check_parameters({"weights": {"gossip": 1}})


def test_what_is_not_set_keeps_its_own_weight():
    weights, wrong = usable_weights({"weights": {"cf": 2}})
    assert weights == DEFAULT_WEIGHTS | {"cf": 2.0}
    assert wrong == []


@pytest.mark.parametrize("given", ["all", [], {"cf": "x"}, {"cf": -1}, {"gossip": 1}, {"cf": 0}])
def test_weights_that_make_no_sense_are_left_aside(given):
    weights, wrong = usable_weights({"weights": given})
    assert weights == DEFAULT_WEIGHTS
    assert wrong
