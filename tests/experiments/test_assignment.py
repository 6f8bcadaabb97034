from __future__ import annotations

from collections import Counter

import pytest

from recsys.accounts.models import User
from recsys.experiments.assignment import Assignment, assign, merged_parameters
from recsys.experiments.models import Experiment, Exposure, Variant

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return User.objects.create(username="ana")


def make_experiment(key: str = "blend", *, weights=(1, 1), parameters=({}, {}), **fields) -> Experiment:
    fields = {"status": Experiment.Status.RUNNING, **fields}
    experiment = Experiment.objects.create(key=key, **fields)
    for name, weight, values in zip("abcdef", weights, parameters, strict=False):
        Variant.objects.create(experiment=experiment, key=name, weight=weight, parameters=values)
    return experiment


def test_a_user_always_gets_the_same_variant_with_its_parameters(user):
    experiment = make_experiment(weights=(0, 1), parameters=({}, {"count": 5}))
    variant = experiment.variants.get(key="b")
    expected = [Assignment(experiment.pk, "blend", variant.pk, "b", {"count": 5})]
    assert assign(user.pk, "for_you") == expected
    assert assign(user.pk, "for_you") == expected


def test_users_are_dealt_by_weight():
    make_experiment(weights=(1, 3))
    users = User.objects.bulk_create(User(username=f"user{n}") for n in range(400))
    dealt = Counter(assign(user.pk, "for_you")[0].variant_key for user in users)
    assert dealt["b"] == pytest.approx(300, abs=45)


@pytest.mark.parametrize("status", [Experiment.Status.DRAFT, Experiment.Status.STOPPED])
def test_only_running_experiments_count(user, status):
    make_experiment(status=status)
    assert assign(user.pk, "for_you") == []


def test_only_experiments_of_the_surface_count(user):
    make_experiment(surface="similar")
    assert assign(user.pk, "for_you") == []
    assert [one.experiment_key for one in assign(user.pk, "similar")] == ["blend"]


def test_a_saved_change_holds_for_the_next_request(user):
    experiment = make_experiment(weights=(1, 0))
    assert assign(user.pk, "for_you")[0].variant_key == "a"
    experiment.variants.filter(key="a").update(weight=0)
    experiment.variants.filter(key="b").update(weight=1, parameters={"count": 3})
    assert assign(user.pk, "for_you")[0].parameters == {"count": 3}


def test_the_same_salt_deals_two_experiments_alike_and_another_one_does_not():
    make_experiment("one", salt="same")
    make_experiment("two", salt="same")
    make_experiment("three")
    users = User.objects.bulk_create(User(username=f"user{n}") for n in range(60))
    dealt = [[one.variant_key for one in assign(user.pk, "for_you")] for user in users]
    assert all(one == two for one, two, _ in dealt)
    assert any(one != three for one, _, three in dealt)


def test_the_first_exposure_is_recorded_once_and_stays(user):
    experiment = make_experiment(weights=(1, 0))
    assign(user.pk, "for_you")
    first = Exposure.objects.get()
    assert (first.experiment, first.variant.key, first.user) == (experiment, "a", user)
    experiment.variants.filter(key="a").update(weight=0)
    experiment.variants.filter(key="b").update(weight=1)
    assign(user.pk, "for_you")
    assert Exposure.objects.get() == first


def test_who_is_not_shown_anything_is_not_exposed(user):
    make_experiment(surface="for_you")
    (found,) = assign(user.pk, "for_you", expose=False)
    assert not Exposure.objects.exists()
    assert assign(user.pk, "for_you") == [found]
    assert Exposure.objects.count() == 1


def test_nobody_in_particular_takes_part_in_nothing(django_assert_num_queries):
    make_experiment()
    with django_assert_num_queries(0):
        assert assign(None, "for_you") == []
    assert not Exposure.objects.exists()


def test_it_costs_one_query_and_one_insert_at_first_however_many_experiments_run(user, django_assert_num_queries):
    for key in ("one", "two", "three"):
        make_experiment(key)
    with django_assert_num_queries(2):
        assign(user.pk, "for_you")
    assert Exposure.objects.count() == 3
    with django_assert_num_queries(1):
        assign(user.pk, "for_you")


def test_two_requests_that_race_record_one_exposure(user, django_assert_num_queries):
    experiment = make_experiment(weights=(1, 0))
    Exposure.objects.create(experiment=experiment, variant=experiment.variants.get(key="b"), user=user)
    from recsys.experiments.assignment import _record_exposures

    _record_exposures(user.pk, list(experiment.variants.filter(key="a")))
    assert Exposure.objects.get().variant.key == "b"


def test_parameters_of_several_experiments_are_merged():
    one = Assignment(1, "one", 1, "a", {"count": 5})
    two = Assignment(2, "two", 2, "a", {"weights": {"cf": 1}})
    assert merged_parameters([one, two]) == {"count": 5, "weights": {"cf": 1}}
