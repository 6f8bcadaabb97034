from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from recsys.accounts.models import User
from tests.admin.conftest import allow

pytestmark = pytest.mark.django_db
LIST = "/admin/accounts/user/"


def edit(client: Client, user: User, **fields: Any):
    data = {"username": user.username, "is_active": "on", "email": "", "external_id": user.external_id or "", **fields}
    return client.post(f"{LIST}{user.pk}/change/", data)


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", password="a long password")


def test_a_profile_is_edited_and_its_region_normalised(admin: Client, ana: User):
    response = edit(admin, ana, region="united kingdom", display_name="Ana  B", external_id="u-1")
    assert response.status_code == 302, response.context["errors"]
    ana.refresh_from_db()
    assert (ana.region, ana.display_name, ana.external_id) == ("GB", "Ana B", "u-1")


def test_several_users_may_have_no_external_id(admin: Client, ana: User):
    ben = User.objects.create(username="ben")
    for user in (ana, ben):
        assert edit(admin, user).status_code == 302
        user.refresh_from_db()
        assert user.external_id is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"region": "Atlantis"}, "Unknown region"),
        ({"username": "settings"}, "This username is reserved"),
        ({"username": "a b"}, "A username is made of letters"),
        ({"username": "BEN"}, "already exists"),
        ({"display_name": "x" * 81}, "at most 80"),
        ({"display_name": "a\u202eb"}, "invisible characters"),
        ({"email": "nonsense"}, "valid email"),
    ],
)
def test_the_rules_of_sign_up_hold(admin: Client, ana: User, fields: dict[str, str], message: str):
    User.objects.create(username="ben")
    response = edit(admin, ana, **fields)
    assert response.status_code == 200
    assert message in str(response.context["errors"])


def test_a_reserved_name_that_exists_may_stay(admin: Client):
    admin_user = User.objects.create_user("admin", password="a long password")
    assert edit(admin, admin_user, display_name="Boss").status_code == 302


def test_a_new_user_obeys_the_rules(admin: Client):
    data = {"usable_password": "true", "password1": "tributary flows", "password2": "tributary flows"}
    assert "reserved" in str(admin.post(LIST + "add/", {"username": "root", **data}).context["errors"])
    assert admin.post(LIST + "add/", {"username": "Cyd", **data}).status_code == 302
    assert User.objects.get(username="cyd").check_password("tributary flows")


def test_who_edits_users_makes_nobody_staff(clerk_client: Client, clerk: User, ana: User):
    allow(clerk, "accounts.view_user", "accounts.change_user")
    edit(clerk_client, clerk, is_superuser="on", is_staff="on")
    edit(clerk_client, ana, is_superuser="on", is_staff="on", display_name="Ana")
    clerk.refresh_from_db()
    ana.refresh_from_db()
    assert ana.display_name == "Ana"
    assert not any([clerk.is_superuser, ana.is_superuser, ana.is_staff])


def test_who_edits_users_touches_no_other_staff(clerk_client: Client, clerk: User, boss: User):
    allow(clerk, "accounts.view_user", "accounts.change_user", "accounts.delete_user")
    password = {"password1": "another long one", "password2": "another long one", "usable_password": "true"}
    assert clerk_client.post(f"{LIST}{boss.pk}/password/", password).status_code == 403
    assert edit(clerk_client, boss, email="clerk@example.org").status_code == 403
    assert clerk_client.post(f"{LIST}{boss.pk}/delete/", {"post": "yes"}).status_code == 403
    clerk_client.post(LIST, {"action": "delete_selected", "_selected_action": [boss.pk], "post": "yes"})
    boss.refresh_from_db()
    assert boss.check_password("a long password")


def test_deletion_says_what_goes_without_listing_it(admin: Client, ana: User, django_assert_max_num_queries):
    page = f"{LIST}{ana.pk}/delete/"
    with django_assert_max_num_queries(8):
        assert "ana, with all posts, follows, events and recommendations of theirs" in admin.get(page).content.decode()
    assert admin.post(page, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=ana.pk).exists()


def test_selected_users_are_deleted(admin: Client, ana: User):
    data = {"action": "delete_selected", "_selected_action": [ana.pk]}
    assert "ana, with all posts" in admin.post(LIST, data).content.decode()
    admin.post(LIST, {**data, "post": "yes"})
    assert not User.objects.filter(pk=ana.pk).exists()
