from __future__ import annotations

import pytest

from recsys.experiments.parameters import check_parameters, declared

pytestmark = pytest.mark.usefixtures("known_parameters")


@pytest.mark.parametrize(
    "good",
    [{}, {"weights": {"cf": 1}}, {"weights": {"cf": 0, "trending": 0.2}, "count": 50}, {"exploration": 0.05}],
)
def test_known_parameters_within_their_limits_are_accepted(good):
    assert check_parameters(good) == []


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], 'Parameters must be a JSON object, for example {"count": 20}.'),
        ("cf", 'Parameters must be a JSON object, for example {"count": 20}.'),
        ({"wieghts": {}}, "'wieghts' is not a parameter. The parameters are: count, exploration, weights."),
        ({"weights": 1}, 'weights: must be an object, for example {"cf": 1.0}.'),
        ({"weights": {"als": 1}}, "weights: 'als' is not known. The names are: cf, trending."),
        ({"weights": {"cf": -0.1}}, "weights: cf must be a number from 0 up."),
        ({"weights": {"cf": "1"}}, "weights: cf must be a number from 0 up."),
        ({"weights": {"cf": True}}, "weights: cf must be a number from 0 up."),
        ({"weights": {"cf": float("nan")}}, "weights: cf must be a number from 0 up."),
        ({"weights": {"cf": float("inf")}}, "weights: cf must be a number from 0 up."),
        ({"weights": {"cf": 10**400}}, "weights: cf must be a number from 0 up."),
        ({"weights": {"cf": 0, "trending": 0.0}}, "weights: at least one weight must be above 0."),
        ({"weights": {}}, "weights: at least one weight must be above 0."),
        ({"count": 0}, "count: must be a whole number from 1 to 50."),
        ({"count": 1.5}, "count: must be a whole number from 1 to 50."),
        ({"count": None}, "count: must be a whole number from 1 to 50."),
        ({"exploration": 1.1}, "exploration: must be a number from 0 to 1."),
    ],
)
def test_anything_else_is_refused_with_a_word_on_how_to_mend_it(bad, message):
    assert check_parameters(bad) == [message]


def test_every_mistake_is_named():
    assert len(check_parameters({"weights": {"als": 1, "cf": -1}, "count": 99, "x": 1})) == 4


def test_declared_parameters_are_listed_by_name():
    assert [parameter.name for parameter in declared()] == ["count", "exploration", "weights"]
