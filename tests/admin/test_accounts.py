from __future__ import annotations

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.admin.models import LogEntry
from django.test import Client

from feeds.models import AuthorStats
from recsys.accounts.history import FORMER_STAFF
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


class TestErasedStaff:
    """What they changed stays known; who they were does not."""

    POLICY = "/admin/feeds/fanoutpolicy/1/change/"

    @pytest.fixture
    def leaving(self, clerk_client: Client, clerk: User, ana: User) -> User:
        """A member of the staff who has changed the policy and how posts of Ana are delivered, and then leaves."""
        AuthorStats.objects.create(author=ana)
        allow(clerk, "feeds.change_fanoutpolicy", "feeds.view_fanoutpolicy", "feeds.add_authoroverride")
        assert clerk_client.post(self.POLICY, {"celebrity_threshold": 500, "lower_bound": 400}).status_code == 302
        override = {"author": ana.pk, "mode": "pull", "reason": "spam"}
        assert clerk_client.post("/admin/feeds/authoroverride/add/", override).status_code == 302
        return clerk

    @pytest.mark.parametrize("way", ["page", "list"])
    def test_leave_what_they_changed_and_when(self, admin: Client, leaving: User, ana: User, way: str):
        name, times = leaving.username, set(LogEntry.objects.values_list("action_time", flat=True))
        if way == "page":
            admin.post(f"{LIST}{leaving.pk}/delete/", {"post": "yes"})
        else:
            admin.post(LIST, {"action": "delete_selected", "_selected_action": [leaving.pk], "post": "yes"})
        assert not User.objects.filter(pk=leaving.pk).exists()
        admin.get("/admin/")  # shows, once, that it was done
        policy = admin.get(self.POLICY).content.decode()
        assert f"{FORMER_STAFF}: Celebrity threshold: 10000 → 500; Lower bound: 8000 → 400" in policy
        stats = admin.get(f"/admin/feeds/authorstats/{ana.pk}/change/").content.decode()
        assert f"{FORMER_STAFF}: Added: Mode pull; Reason spam" in stats
        assert times < set(LogEntry.objects.values_list("action_time", flat=True)), "and the erasure itself"
        history = admin.get("/admin/admin/logentry/")
        assert history.context["cl"].result_count == 3
        for page in (policy, stats, history.content.decode()):
            assert name not in page

    def test_nor_is_anybody_else_named_who_was_erased(self, admin: Client, leaving: User, ana: User):
        ana.username = "ana-of-many-letters"
        ana.save()
        edit(admin, ana, display_name="Ana")
        admin.post(f"/admin/feeds/authoroverride/{ana.pk}/delete/", {"post": "yes"})
        assert LogEntry.objects.filter(object_repr__startswith=ana.username).count() == 2
        addresses = "/admin/account/emailaddress/"
        written = {"user": ana.pk, "email": f"{ana.username}@example.org"}
        for number in range(2):
            assert admin.post(f"{addresses}add/", written | {"email": f"{number}{written['email']}"}).status_code == 302
        one, other = EmailAddress.objects.filter(user=ana)
        assert admin.post(f"{addresses}{one.pk}/change/", written | {"verified": "on"}).status_code == 302
        admin.post(f"{addresses}{one.pk}/delete/", {"post": "yes"})
        admin.post(addresses, {"action": "delete_selected", "_selected_action": [other.pk], "post": "yes"})
        assert not EmailAddress.objects.filter(user=ana).exists()
        admin.post(f"{LIST}{ana.pk}/delete/", {"post": "yes"})
        assert LogEntry.objects.count() == 10
        assert ana.username not in str(list(LogEntry.objects.values()))

    def test_are_one_account_which_nobody_uses_edits_or_erases(self, admin: Client, leaving: User, ana: User):
        for user in (leaving, ana):
            admin.post(f"{LIST}{user.pk}/delete/", {"post": "yes"})
        former = User.objects.get(username=FORMER_STAFF)
        assert not former.is_active
        assert not former.has_usable_password()
        count = LogEntry.objects.count()
        assert admin.get(f"{LIST}{former.pk}/change/").status_code == 200
        assert edit(admin, former, display_name="Me").status_code == 403
        assert admin.post(f"{LIST}{former.pk}/delete/", {"post": "yes"}).status_code == 403
        admin.post(LIST, {"action": "delete_selected", "_selected_action": [former.pk], "post": "yes"})
        assert User.objects.filter(pk=former.pk).exists()
        assert LogEntry.objects.count() == count


def test_the_history_is_for_staff_with_the_right(clerk_client: Client, clerk: User, ana: User):
    assert clerk_client.get("/admin/admin/logentry/").status_code == 403
    allow(clerk, "admin.view_logentry")
    entry = LogEntry.objects.create(user=ana, action_flag=2, object_repr="x", change_message="<b>")
    page = clerk_client.get("/admin/admin/logentry/", {"q": "ana"}).content.decode()
    assert "&lt;b&gt;" in page
    assert clerk_client.get(f"/admin/admin/logentry/{entry.pk}/change/").status_code == 200
    assert clerk_client.post(f"/admin/admin/logentry/{entry.pk}/delete/", {"post": "yes"}).status_code == 403


def test_the_history_takes_as_many_queries_for_many_as_for_one(admin: Client, django_assert_max_num_queries):
    people = User.objects.bulk_create(User(username=f"staff{n}") for n in range(40))
    LogEntry.objects.bulk_create(LogEntry(user=one, action_flag=2, change_message="x") for one in people)
    with django_assert_max_num_queries(8):
        assert "staff39" in admin.get("/admin/admin/logentry/").content.decode()
