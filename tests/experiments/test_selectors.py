from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events.models import Interaction
from recsys.experiments.models import Exposure
from recsys.experiments.selectors import report
from tests.experiments.test_assignment import make_experiment

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _partition(db):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS everything PARTITION OF events_interaction DEFAULT")


def test_it_counts_what_followed_each_exposure(django_assert_num_queries):
    experiment = make_experiment(weights=(1, 3, 0), parameters=({}, {}, {}))
    a, b, _ = experiment.variants.order_by("pk")
    now = timezone.now()
    item = Item.objects.create(title="Heat")
    ana, ben, cyd, dan = (User.objects.create(username=name) for name in ("ana", "ben", "cyd", "dan"))
    for user, variant in ((ana, a), (ben, a), (cyd, b)):
        Exposure.objects.create(experiment=experiment, variant=variant, user=user, first_at=now - timedelta(hours=1))
    for user, kind, minutes in (
        (ana, "click", 30),
        (ana, "click", 20),
        (ana, "like", 10),
        (ana, "click", 90),  # before the exposure
        (cyd, "view", 5),
        (dan, "click", 5),  # never exposed
    ):
        at = now - timedelta(minutes=minutes)
        Interaction.objects.create(user=user, item=item, kind=kind, occurred_at=at)

    with django_assert_num_queries(1):
        rows = report(experiment)
    found = [(one.key, one.weight, one.exposures, one.clicks, one.likes, one.users_who_clicked) for one in rows]
    assert found == [("a", 1, 2, 2, 1, 1), ("b", 3, 1, 0, 0, 0), ("c", 0, 0, 0, 0, 0)]
    assert [one.share_who_clicked for one in rows] == [0.5, 0.0, None]

    experiment.stopped_at = now - timedelta(minutes=25)
    assert report(experiment)[0].clicks == 1


def test_an_experiment_without_variants_has_an_empty_report():
    assert report(make_experiment(weights=())) == []
