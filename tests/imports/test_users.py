from __future__ import annotations

import pytest

from recsys.accounts.models import User
from recsys.imports.errors import ImportRefusedError
from recsys.imports.report import Tally
from tests.imports.conftest import bad

CSV = "external_id,username,display_name,region\nu1,ana,Ana Sousa,br\nu2,,,\n"


def test_creates_users_who_cannot_log_in_by_password(load):
    assert load("users", "users.csv", CSV).tallies == {"users": Tally(created=2)}
    ana = User.objects.get(external_id="u1")
    assert (ana.username, ana.display_name, ana.region) == ("ana", "Ana Sousa", "BR")
    assert not ana.has_usable_password()


def test_repeating_it_changes_nothing(load):
    load("users", "users.csv", CSV)
    before = list(User.objects.order_by("pk").values())
    assert load("users", "users.csv", CSV).tallies == {"users": Tally(unchanged=2)}
    assert list(User.objects.order_by("pk").values()) == before


def test_what_is_not_given_stays(load):
    load("users", "users.csv", CSV)
    report = load("users", "more.csv", "external_id,bio\nu1,Hello.\n")
    assert report.tallies == {"users": Tally(updated=1)}
    ana = User.objects.get(external_id="u1")
    assert (ana.bio, ana.display_name) == ("Hello.", "Ana Sousa")


def test_bad_rows(load):
    User.objects.create(username="taken")
    rows = "u1,ana,\nu2,taken,\nu1,other,\nu3,ana,\n,x,\nu4,-!-,\nu5,eva,Atlantis\nu6,admin,\nu7,fine,GB\n"
    report = load("users", "users.csv", "external_id,username,region\n" + rows, skip_bad=True)
    found = {(line, field) for line, field, _ in bad(report)}
    assert found == {
        (3, "username"), (4, "external_id"), (5, "username"), (6, "external_id"), (7, "username"), (8, "region"),
        (9, "username"),
    }  # fmt: skip
    assert report.tallies == {"users": Tally(created=2)}
    with pytest.raises(ImportRefusedError):
        load("users", "users.csv", "external_id,username\nu9,taken\n")
