from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from realtime import presence
from recsys.accounts.actions import (
    UserInput,
    check_user,
    do_erase_user,
    do_show_presence,
    do_update_profile,
    do_upsert_users,
)
from recsys.accounts.history import ERASED, FORMER_STAFF
from recsys.accounts.models import User
from recsys.accounts.selectors import user_ids, user_named
from recsys.inputs import InputError


def faults(data) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        check_user(data)
    return dict(caught.value.errors)


class TestCheckUser:
    def test_cleans_what_it_accepts(self):
        data = {"external_id": " c-1 ", "username": "Ana", "display_name": "Ana", "region": "united kingdom"}
        assert check_user(data) == UserInput("c-1", username="ana", display_name="Ana", region="GB")

    def test_names_every_fault_at_once(self):
        found = faults({"external_id": "", "display_name": 3, "bio": "x" * 281, "colour": "red"})
        assert set(found) == {"external_id", "display_name", "bio", "colour"}
        assert "280" in found["bio"]
        assert "external_id" in found["colour"]  # it says which fields there are

    @pytest.mark.parametrize("data", [None, [], "ana", 3])
    def test_refuses_what_is_no_object(self, data):
        assert "object" in faults(data)[""]

    @pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"])
    def test_refuses_text_that_the_database_cannot_hold(self, text):
        assert "Unicode" in faults({"external_id": text})["external_id"]

    @pytest.mark.parametrize("username", ["a/b", "..", "admin", "a b", "ä", "-x", "x" * 31])
    def test_refuses_usernames_that_would_break_an_address_or_pretend(self, username):
        assert "username" in faults({"external_id": "1", "username": username})

    def test_refuses_unknown_regions(self):
        assert "US-CA" in faults({"external_id": "1", "region": "XX"})["region"]


@pytest.mark.django_db
class TestUpsertUsers:
    def test_creates_changes_and_leaves_alone(self):
        rows = [UserInput("a", display_name="Ana", region="GB"), UserInput("b")]
        assert do_upsert_users(rows=rows) == (2, 0, 0)
        assert do_upsert_users(rows=rows) == (0, 0, 2)
        assert do_upsert_users(rows=[UserInput("a", region="FR"), UserInput("c")]) == (1, 1, 0)
        ana = User.objects.get(external_id="a")
        assert (ana.display_name, ana.region) == ("Ana", "FR")  # what was not given stayed
        assert not ana.has_usable_password()

    def test_people_show_when_they_are_online_unless_they_are_said_not_to(self):
        do_upsert_users(rows=[UserInput("a"), UserInput("b", shows_presence=False)])
        assert dict(User.objects.values_list("external_id", "shows_presence")) == {"a": True, "b": False}
        assert do_upsert_users(rows=[UserInput("a", shows_presence=False), UserInput("b", bio="Hello")]).updated == 2
        assert not User.objects.filter(shows_presence=True).exists(), "what was not given stayed"

    def test_a_repetition_writes_nothing(self, django_assert_num_queries):
        rows = [UserInput(f"user-{number}", display_name="x") for number in range(50)]
        do_upsert_users(rows=rows)
        with django_assert_num_queries(3) as queries:  # one read between savepoint and release
            do_upsert_users(rows=rows)
        assert not [query for query in queries.captured_queries if query["sql"].startswith(("INSERT", "UPDATE"))]

    def test_the_last_of_two_rows_about_one_person_wins(self):
        do_upsert_users(rows=[UserInput("a", display_name="first"), UserInput("a", display_name="second")])
        assert User.objects.get(external_id="a").display_name == "second"

    def test_derives_usernames_that_are_free_and_stay(self):
        User.objects.create_user("ana")
        do_upsert_users(rows=[UserInput("ana"), UserInput("Ana/../x"), UserInput("42"), UserInput("admin")])
        names = dict(User.objects.exclude(external_id=None).values_list("external_id", "username"))
        assert names["42"] == "42"
        assert names["ana"].startswith("ana-")
        assert "/" not in names["Ana/../x"]
        assert names["admin"] != "admin"
        do_upsert_users(rows=[UserInput("ana", display_name="New")])
        assert User.objects.get(external_id="ana").username == names["ana"]

    def test_refuses_usernames_of_others_and_changes_nothing(self):
        User.objects.create_user("ana")
        do_upsert_users(rows=[UserInput("b", username="ben")])
        for row in (UserInput("c", username="ana"), UserInput("b", username="ana")):
            with pytest.raises(InputError, match="somebody else"):
                do_upsert_users(rows=[UserInput("new"), row])
        assert not User.objects.filter(external_id="new").exists()
        with pytest.raises(InputError, match="somebody else"):
            do_upsert_users(rows=[UserInput("x", username="same"), UserInput("y", username="same")])

    def test_large_batches_take_few_queries(self, django_assert_max_num_queries):
        rows = [UserInput(f"u{number}") for number in range(2500)]
        with django_assert_max_num_queries(20):
            do_upsert_users(rows=rows)
        assert User.objects.count() == 2500


@pytest.mark.django_db
def test_update_profile_changes_only_what_is_given(django_assert_num_queries):
    user = User.objects.create_user("ana", display_name="Ana", region="GB")
    do_update_profile(user=user, bio="Hello")
    user.refresh_from_db()
    assert (user.display_name, user.bio, user.region) == ("Ana", "Hello", "GB")
    with django_assert_num_queries(0):
        do_update_profile(user=user, bio="Hello", region="GB")


@pytest.mark.django_db
class TestErasure:
    def test_keeps_what_somebody_changed_but_not_who_that_was(self):
        ana, ben = (User.objects.create_user(name) for name in ("ana", "ben"))
        users = ContentType.objects.get_for_model(User)
        by_ana = LogEntry.objects.create(user=ana, action_flag=2, change_message="x", object_repr="policy")
        of_ana = LogEntry.objects.create(
            user=ben, action_flag=2, content_type=users, object_id=str(ana.pk), object_repr="ana"
        )
        of_ben = LogEntry.objects.create(
            user=ben, action_flag=2, content_type=users, object_id=str(ben.pk), object_repr="ben"
        )
        do_erase_user(user=ana)
        do_erase_user(user=ana)  # gone already: no error
        told = dict(LogEntry.objects.values_list("pk", "object_repr"))
        assert told == {by_ana.pk: "policy", of_ana.pk: ERASED, of_ben.pk: "ben"}
        by_ana.refresh_from_db()
        assert (by_ana.user.username, by_ana.change_message) == (FORMER_STAFF, "x")
        do_erase_user(user=ben)
        assert set(LogEntry.objects.values_list("user__username", flat=True)) == {FORMER_STAFF}

    def test_of_people_who_changed_nothing_makes_no_account(self):
        do_erase_user(user=User.objects.create_user("ana"))
        assert not User.objects.exists()

    def test_of_the_account_that_stands_for_them_is_refused(self):
        former = User.objects.create_user(FORMER_STAFF)
        with pytest.raises(InputError, match="cannot be erased"):
            do_erase_user(user=former)
        assert User.objects.get() == former


@pytest.mark.django_db
def test_showing_presence_is_chosen_and_needs_an_active_account(django_assert_num_queries):
    ana, ben, cy = (User.objects.create_user(name) for name in ("ana", "ben", "cy"))
    assert do_show_presence(user=ben, shows_presence=False)
    assert not do_show_presence(user=ben, shows_presence=False), "it was so"
    assert not ben.shows_presence
    User.objects.filter(pk=cy.pk).update(is_active=False)
    with django_assert_num_queries(1):
        assert presence.visible_among([ana.pk, ben.pk, cy.pk, 0]) == {ana.pk}
    assert do_show_presence(user=ben, shows_presence=True)
    assert presence.visible_among([ben.pk]) == {ben.pk}


@pytest.mark.django_db
def test_selectors_find_active_users_unless_told_otherwise():
    ana = User.objects.create_user("ana", external_id="1")
    User.objects.create_user("gone", is_active=False)
    User.objects.create_user("Big")
    assert user_named("Ana") == ana
    assert user_named("Big") is not None
    assert user_named("gone") is None
    assert user_named("gone", active=False) is not None
    assert user_ids(["1", "2"]) == {"1": ana.pk}
