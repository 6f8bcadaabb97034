from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from recsys.experiments.actions import ExperimentError, do_start_experiment, do_stop_experiment, lock_experiment
from recsys.experiments.models import Experiment
from tests.experiments.test_assignment import make_experiment

pytestmark = pytest.mark.usefixtures("known_parameters")

DRAFT = Experiment.Status.DRAFT
WEIGHTS = ({"weights": {"cf": 1.0}}, {"weights": {"cf": 0.5, "trending": 0.5}})


@pytest.mark.django_db
def test_a_started_experiment_runs_and_a_stopped_one_does_not():
    experiment = make_experiment(status=DRAFT, parameters=WEIGHTS)
    do_start_experiment(experiment=experiment)
    experiment.refresh_from_db()
    assert experiment.status == "running"
    assert experiment.started_at is not None
    do_stop_experiment(experiment=experiment)
    experiment.refresh_from_db()
    assert experiment.status == "stopped"
    assert experiment.stopped_at >= experiment.started_at


@pytest.mark.django_db
def test_starting_again_keeps_the_first_start():
    experiment = make_experiment(status=DRAFT)
    do_start_experiment(experiment=experiment)
    first = Experiment.objects.get().started_at
    do_start_experiment(experiment=experiment)
    do_stop_experiment(experiment=experiment)
    do_start_experiment(experiment=experiment)
    again = Experiment.objects.get()
    assert (again.status, again.started_at, again.stopped_at) == ("running", first, None)


@pytest.mark.django_db
def test_stopping_a_draft_leaves_it_a_draft():
    experiment = make_experiment(status=DRAFT)
    do_stop_experiment(experiment=experiment)
    assert Experiment.objects.get().status == "draft"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("weights", "parameters", "message"),
    [
        ((1,), ({},), "at least two variants"),
        ((1, 0), ({}, {}), "at least two variants"),
        ((0, 0), ({}, {}), "at least two variants"),
        ((1, 1), ({}, {"wieghts": {}}), "Variant b: 'wieghts' is not a parameter"),
        ((1, 1), ({}, {"weights": {"cf": 0}}), "Variant b: weights: at least one weight must be above 0"),
    ],
)
def test_an_experiment_that_cannot_run_is_not_started(weights, parameters, message):
    experiment = make_experiment(status=DRAFT, weights=weights, parameters=parameters)
    with pytest.raises(ExperimentError, match=message):
        do_start_experiment(experiment=experiment)
    assert Experiment.objects.get().status == "draft"


@pytest.mark.django_db
def test_two_running_experiments_of_a_surface_do_not_set_the_same_parameter():
    make_experiment("first", parameters=WEIGHTS)
    second = make_experiment("second", status=DRAFT, parameters=WEIGHTS)
    with pytest.raises(ExperimentError, match="first already runs on for_you and sets weights: stop it first"):
        do_start_experiment(experiment=second)
    do_stop_experiment(experiment=Experiment.objects.get(key="first"))
    do_start_experiment(experiment=second)
    assert Experiment.objects.get(key="second").status == "running"


@pytest.mark.django_db
def test_experiments_of_two_surfaces_may_set_the_same_parameter():
    make_experiment("first", parameters=WEIGHTS)
    second = make_experiment("second", surface="similar", status=DRAFT, parameters=WEIGHTS)
    do_start_experiment(experiment=second)
    assert Experiment.objects.get(key="second").status == "running"


@pytest.mark.django_db(transaction=True)
def test_of_two_that_overlap_and_start_at_the_same_time_one_is_refused():
    pair = [make_experiment(key, status=DRAFT, parameters=WEIGHTS) for key in ("first", "second")]
    refused: list[str] = []

    def start_second() -> None:
        try:
            do_start_experiment(experiment=pair[1])
        except ExperimentError as error:
            refused.append(str(error))
        finally:
            connection.close()

    with transaction.atomic():
        lock_experiment(pair[0])
        other = threading.Thread(target=start_second)
        other.start()
        do_start_experiment(experiment=pair[0])
    other.join(30)
    assert len(refused) == 1
    assert Experiment.objects.filter(status="running").count() == 1
