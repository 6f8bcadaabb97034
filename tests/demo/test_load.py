from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import override_settings

from recsys.accounts.models import User
from recsys.catalog.actions import ItemInput, do_upsert_items
from recsys.catalog.models import Item
from recsys.demo.community import DemoSize
from recsys.demo.load import DemoRefusedError, DemoReport, load_demo
from recsys.demo.logins import DEMO_LOGINS, DEMO_PASSWORD, describe_logins
from recsys.events.heat import rebuild_heat
from recsys.events.models import Interaction, ItemHeat
from recsys.outbox.models import OutboxRow
from recsys.recommend.models import ModelVersion
from tests.catalog.makers import make_user
from tests.demo.conftest import NOW

pytestmark = pytest.mark.django_db
SIZE = DemoSize(users=60, items=80, interactions=3000, posts=120, follows=500, seed=1)


def load(**options: Any) -> DemoReport:
    return load_demo(SIZE, now=NOW, **options)


def contents() -> tuple[list[Any], ...]:
    """What was loaded, without the ids, which go on counting between loads."""
    return (
        list(User.objects.order_by("pk").values_list("username", "display_name", "region", "bio", "date_joined")),
        list(Item.objects.order_by("pk").values_list("kind", "title", "tags", "regions", "attributes", "published_at")),
        sorted(Interaction.objects.values_list("user__username", "item__title", "kind", "value", "occurred_at")),
    )


def test_loads_exactly_what_was_asked_for():
    report = load()
    assert (report.users, report.items, report.interactions) == (60, 80, 3000)
    assert User.objects.count() == 60
    assert Item.objects.exclude(kind="post").count() == 80
    assert Interaction.objects.count() == 3000


def test_the_logins_work_and_nobody_else_has_a_password():
    load()
    for login in DEMO_LOGINS:
        user = authenticate(username=login.username, password=DEMO_PASSWORD)
        assert user is not None
        assert (user.is_staff, user.is_superuser) == (login.is_staff, login.is_staff)
    others = User.objects.exclude(username__in=[login.username for login in DEMO_LOGINS])
    assert not any(user.has_usable_password() for user in others)
    assert len({user.password for user in others}) == others.count()


def test_the_history_is_not_captured_and_its_heat_is_that_of_a_rebuild():
    load()
    assert not OutboxRow.objects.exclude(aggregatetype="feeds.first_pull").exists()
    heat = dict(ItemHeat.objects.values_list("pk", "heat"))
    assert len({region for region, _ in heat}) > 5
    rebuild_heat()
    assert dict(ItemHeat.objects.values_list("pk", "heat")) == pytest.approx(heat)


def test_new_rows_get_ids_behind_the_demos():
    load()
    last = User.objects.latest("pk").pk
    assert make_user().pk > last
    last = Item.objects.latest("pk").pk
    do_upsert_items(rows=[ItemInput("new", "New")])
    assert Item.objects.get(external_id="new").pk > last


def test_the_same_seed_gives_the_same_community():
    with transaction.atomic():
        load()
        first = contents()
        transaction.set_rollback(True)
    assert not User.objects.exists()
    load()
    assert contents() == first


def test_refuses_a_database_that_is_in_use_and_changes_nothing():
    make_user()
    with pytest.raises(DemoRefusedError, match="--force"):
        load()
    assert User.objects.count() == 1
    assert not Item.objects.exists()


def test_force_loads_beside_what_is_there():
    somebody = make_user(username="mia", display_name="Mia")
    load(force=True)
    assert User.objects.count() == 61
    somebody.refresh_from_db()
    assert somebody.display_name == "Mia"


def test_never_loads_twice_nor_takes_anybodys_name():
    ana = make_user(username="ana")
    with pytest.raises(DemoRefusedError, match="here ana is somebody else"):
        load(force=True)
    ana.delete()
    load()
    with pytest.raises(DemoRefusedError, match="loaded already"):
        load(force=True)
    assert User.objects.count() == 60


def test_the_command_trains_the_models_and_prints_the_logins(capsys):
    sizes = {"users": 60, "items": 80, "interactions": 3000, "posts": 50, "follows": 300}
    call_command("load_demo", **sizes, verbosity=0)
    printed = capsys.readouterr().out
    assert "60 users, 80 items, 3,000 interactions" in printed
    assert all(line in printed for line in describe_logins())
    assert set(ModelVersion.objects.filter(status="serving").values_list("kind", flat=True)) == {"cf", "content"}


def test_the_command_refuses_in_one_sentence():
    make_user()
    with pytest.raises(CommandError, match="--force"):
        call_command("load_demo", verbosity=0)


@pytest.mark.parametrize(
    "arguments", [["--users", "0"], ["--items", "many"], ["--interactions", "-1"], ["--seed", "1.5"]]
)
def test_the_command_refuses_sizes_that_are_none(arguments):
    with pytest.raises(CommandError, match="is not a whole number from"):
        call_command("load_demo", *arguments)


@override_settings(SECURE_SSL_REDIRECT=True)
def test_in_production_the_public_password_is_refused():
    with pytest.raises(CommandError, match="--password"):
        call_command("load_demo", verbosity=0)
    call_command(
        "load_demo",
        users=10,
        items=10,
        interactions=50,
        posts=5,
        follows=5,
        password="Another one 77",
        no_train=True,
        verbosity=0,
    )
    assert authenticate(username="ana", password="Another one 77")
    assert not authenticate(username="ana", password=DEMO_PASSWORD)
