from __future__ import annotations

import pytest

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events.models import Interaction
from recsys.outbox.models import OutboxRow
from recsys.recommend.models import FactorVector, ModelVersion
from recsys.recommend.serving import CF, serving_versions
from recsys.recommend.training import train_cf
from recsys.recommend.vectors import read_vectors
from tests.catalog.makers import make_user
from tests.events.makers import did
from tests.kept import Kept
from tests.recommend.conftest import Community, make_community


def make() -> Community:
    site = make_community(fans=3, items=6, each=4)
    train_cf()
    did(site.ana, "like", site.crime[0])  # whose changes wait in the outbox
    return site


def contents() -> list[list[str]]:
    models = (User, Item, Interaction, OutboxRow, ModelVersion, FactorVector)
    return [sorted(map(repr, model._base_manager.values_list())) for model in models]


@pytest.fixture(scope="module")
def kept(django_db_setup, django_db_blocker):
    found = []

    def made() -> Community:
        site = make()
        found.extend(contents())
        return site

    with django_db_blocker.unblock():
        return Kept(made), found


BOTH = [pytest.param(marks=pytest.mark.django_db(transaction=transaction)) for transaction in (False, True)]


@pytest.mark.parametrize("time", [1, 2])
@pytest.mark.parametrize((), BOTH)
def test_every_test_finds_what_was_made_and_what_it_does_is_its_own(kept, time):
    assert not User.objects.exists()
    site = kept[0].put_back()
    assert contents() == kept[1]
    assert all(kept[1])
    assert User.objects.get(pk=site.ana.pk) == site.ana
    assert len(read_vectors(FactorVector, serving_versions()[CF])[0]) == 8
    assert make_user().pk > site.ana.pk
    site.crime.clear()
    User.objects.all().delete()
    ModelVersion.objects.all().delete()
