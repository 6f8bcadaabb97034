from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from recsys.accounts.models import User
from recsys.experiments.assignment import assign
from recsys.experiments.models import Experiment, Variant
from recsys.recommend.engine import recommend
from tests.admin.conftest import allow

pytestmark = pytest.mark.django_db
LIST = "/admin/experiments/experiment/"


def form(key: str = "blend", variants: Any = (), ids: Any = (), **fields: Any) -> dict[str, Any]:
    """What the form of an experiment with `variants` (key, weight, parameters) sends."""
    data = {"key": key, "surface": "for_you", "description": "", "salt": "", **fields}
    data |= {"variants-TOTAL_FORMS": len(variants), "variants-INITIAL_FORMS": len(ids)}
    for number, (name, weight, parameters) in enumerate(variants):
        prefix = f"variants-{number}-"
        data |= {prefix + "key": name, prefix + "weight": weight, prefix + "parameters": parameters}
        if number < len(ids):
            data |= {prefix + "id": ids[number], prefix + "experiment": fields.get("pk", "")}
    return data


def act(client: Client, action: str, *experiments: Experiment):
    data = {"action": action, "_selected_action": [one.pk for one in experiments]}
    return client.post(LIST, data, follow=True)


def make(client: Client, key: str = "blend", cf: float = 1.0) -> Experiment:
    """Through the form, as staff do."""
    variants = [("control", 1, ""), ("other", 1, f'{{"weights": {{"cf": {cf}, "popular": 0}}}}')]
    response = client.post(LIST + "add/", form(key, variants))
    assert response.status_code == 302, response.context["errors"]
    return Experiment.objects.get(key=key)


def errors(response: Any) -> str:
    assert response.status_code == 200
    return str(response.context["errors"])


def test_an_experiment_made_and_started_here_steers_the_next_request(admin: Client):
    user = User.objects.create(username="ana")
    experiment = make(admin)
    variant = experiment.variants.get(key="other")
    experiment.variants.filter(key="control").update(weight=1)
    assert recommend(user=user, region="").trace["variants"] == {}

    act(admin, "start", experiment)
    experiment.refresh_from_db()
    assert experiment.status == "running"
    page = f"{LIST}{experiment.pk}/change/"
    ids = list(experiment.variants.order_by("pk").values_list("pk", flat=True))
    change = [("control", 1, "{}"), ("other", 10**6, '{"weights": {"cf": 0.125, "popular": 0}}')]
    data = form(variants=change, ids=ids, pk=experiment.pk)
    response = admin.post(page, data)
    assert response.status_code == 302, response.context["errors"]

    trace = recommend(user=user, region="").trace
    assert trace["variants"] == {"blend": "other"}
    assert (trace["weights"]["cf"], trace["weights"]["popular"]) == (0.125, 0)
    assert assign(user.pk, "for_you")[0].variant_id == variant.pk

    act(admin, "stop", experiment)
    trace = recommend(user=user, region="").trace
    assert trace["variants"] == {}
    assert trace["weights"]["popular"] > 0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ('{"wieghts": {}}', "is not a parameter. The parameters are: weights"),
        ('{"weights": {"als": 1}}', "is not known. The names are: affinity, cf"),
        ('{"weights": {"cf": -1}}', "cf must be a number from 0 up"),
        ('{"weights": {"cf": 0}}', "at least one weight must be above 0"),
        ("[1]", "must be a JSON object"),
        ("{", "Enter a valid JSON"),
        ('{"weights": {"cf": NaN}}', "Enter a valid JSON"),
        ('{"weights": {"\\u0000": 1}}', "Enter a valid JSON"),
    ],
)
def test_parameters_that_serving_does_not_know_are_refused(admin: Client, parameters: str, message: str):
    response = admin.post(LIST + "add/", form(variants=[("a", 1, ""), ("b", 1, parameters)]))
    assert message in errors(response)
    assert not Experiment.objects.exists()


def test_variants_that_all_have_no_weight_are_refused(admin: Client):
    response = admin.post(LIST + "add/", form(variants=[("a", 0, ""), ("b", 0, "")]))
    assert "Give at least one variant a weight above 0." in errors(response)


def test_two_variants_of_the_same_name_are_refused(admin: Client):
    response = admin.post(LIST + "add/", form(variants=[("a", 1, ""), ("a", 1, "")]))
    assert "duplicate" in errors(response)


def test_a_running_experiment_keeps_two_variants_with_weight(admin: Client):
    experiment = make(admin)
    act(admin, "start", experiment)
    ids = list(experiment.variants.order_by("pk").values_list("pk", flat=True))
    page = f"{LIST}{experiment.pk}/change/"
    response = admin.post(page, form(variants=[("control", 1, ""), ("other", 0, "")], ids=ids, pk=experiment.pk))
    assert "at least two variants" in errors(response)
    assert set(Variant.objects.values_list("weight", flat=True)) == {1}


def test_of_two_on_one_surface_that_set_the_same_the_second_does_not_start(admin: Client):
    first, second = make(admin, "first"), make(admin, "second")
    act(admin, "start", first)
    response = act(admin, "start", second)
    assert "first already runs on for_you and sets weights: stop it first" in response.content.decode()
    second.refresh_from_db()
    assert second.status == "draft"


def test_what_decides_who_sees_what_is_fixed_once_it_has_started(admin: Client):
    experiment = make(admin)
    act(admin, "start", experiment)
    ids = list(experiment.variants.order_by("pk").values_list("pk", flat=True))
    changed = form(
        "other-key", [("control", 1, ""), ("other", 1, "")], ids, surface="similar", salt="x", pk=experiment.pk
    )
    admin.post(f"{LIST}{experiment.pk}/change/", changed)
    experiment.refresh_from_db()
    assert (experiment.key, experiment.surface, experiment.salt) == ("blend", "for_you", "")


def test_one_that_has_run_is_not_deleted(admin: Client):
    experiment = make(admin)
    act(admin, "start", experiment)
    act(admin, "stop", experiment)
    assert admin.post(f"{LIST}{experiment.pk}/delete/", {"post": "yes"}).status_code == 403
    data = {"action": "delete_selected", "_selected_action": [experiment.pk], "post": "yes"}
    assert admin.post(LIST, data).status_code in (200, 403)
    assert Experiment.objects.exists()


def test_a_draft_is_deleted(admin: Client):
    experiment = make(admin)
    assert admin.post(f"{LIST}{experiment.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Experiment.objects.exists()


def test_the_report_is_a_page(admin: Client):
    experiment = make(admin)
    page = admin.get(f"{LIST}{experiment.pk}/report/").content.decode()
    assert "control" in page
    assert "Share who clicked" in page
    assert admin.get(f"{LIST}999/report/").status_code == 404


def test_who_may_only_look_neither_starts_nor_edits(admin: Client, clerk_client: Client, clerk: User):
    experiment = make(admin)
    assert clerk_client.get(f"{LIST}{experiment.pk}/report/").status_code == 403
    allow(clerk, "experiments.view_experiment", "experiments.view_variant")
    assert clerk_client.get(f"{LIST}{experiment.pk}/report/").status_code == 200
    act(clerk_client, "start", experiment)
    experiment.refresh_from_db()
    assert experiment.status == "draft"
