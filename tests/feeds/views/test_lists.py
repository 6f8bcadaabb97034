"""The pages of lists: everything by plain forms, and for nobody but the owner."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from feeds.actions import do_create_post
from feeds.lists import do_add_member, do_create_list, find_list, members_of
from feeds.models import AccountList
from feeds.views import lists as views
from recsys.accounts.models import User
from tests.web.pages import HTMX, assert_safe, queries_for, text_of

pytestmark = pytest.mark.django_db
LIST_QUERIES = 18


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", display_name="Ana")


@pytest.fixture
def ben() -> User:
    return User.objects.create_user("ben", display_name="Ben")


@pytest.fixture
def as_ana(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


@pytest.fixture
def friends(ana, ben) -> AccountList:
    found = do_create_list(owner=ana, name="Friends")
    do_add_member(account_list=found, member=ben)
    return found


def addresses(found: AccountList) -> list[str]:
    names = ("list", "list-edit", "list-delete", "list-add")
    return [*(reverse(name, args=[found.pk]) for name in names), reverse("list-remove", args=[found.pk, "ben"])]


class TestOwner:
    def test_somebody_elses_list_is_not_found(self, client, friends, ben):
        client.force_login(ben)
        for address in addresses(friends):
            assert client.post(address, {"name": "Mine", "username": "ben"}).status_code in (404, 405)
            assert client.get(address).status_code in (404, 405)
        friends.refresh_from_db()
        assert (friends.name, members_of(friends)) == ("Friends", [ben])

    def test_a_visitor_must_log_in(self, client, friends):
        for address in [reverse("lists"), reverse("person-lists", args=["ben"]), *addresses(friends)]:
            response = client.post(address)
            assert response.status_code == 405 or response.url.startswith(reverse("account_login"))
        assert AccountList.objects.exists()

    def test_a_number_beyond_all_numbers_is_not_found(self, as_ana):
        assert as_ana.get("/lists/99999999999999999999999/").status_code == 404


class TestIndex:
    def test_lists_are_made_and_shown(self, as_ana):
        assert "You have no lists yet" in text_of(as_ana.get("/lists/"))
        made = as_ana.post("/lists/", {"name": "  Jazz   people "})
        found = AccountList.objects.get()
        assert (found.name, made.url) == ("Jazz people", reverse("list-edit", args=[found.pk]))
        page = as_ana.get("/lists/")
        assert "Jazz people" in text_of(page)
        assert_safe(page)

    @pytest.mark.parametrize(("name", "fault"), [("", "Give the list a name"), ("Friends", "a list of this name")])
    def test_what_is_wrong_with_a_name_is_said(self, as_ana, friends, name, fault):
        response = as_ana.post("/lists/", {"name": name})
        assert response.status_code == 422
        assert fault in text_of(response)
        assert AccountList.objects.count() == 1

    def test_names_are_escaped(self, as_ana):
        as_ana.post("/lists/", {"name": "<b>x</b>"})
        assert "<b>x</b>" not in as_ana.get("/lists/").content.decode()


class TestTimeline:
    def test_shows_what_the_members_wrote(self, as_ana, ben, friends):
        post = do_create_post(author=ben, text="Hello")
        page = as_ana.get(friends.get_absolute_url())
        assert f'data-post="{post.pk}"' in page.content.decode()
        assert_safe(page)

    def test_an_empty_one_says_what_to_do(self, as_ana, friends):
        assert "Choose people" in text_of(as_ana.get(friends.get_absolute_url()))

    def test_older_posts_come_by_keyset(self, as_ana, ben, friends):
        posts = [do_create_post(author=ben, text=f"Post {number}") for number in range(22)]
        first = as_ana.get(friends.get_absolute_url()).content.decode()
        address = f"{friends.get_absolute_url()}?before={posts[2].pk}"
        assert f'href="{address}"' in first
        rest = as_ana.get(address, headers=HTMX)
        assert rest.content.decode().count("data-post=") == 2
        assert "<html" not in rest.content.decode()

    def test_queries_do_not_grow(self, as_ana, ben, friends):
        do_create_post(author=ben, text="one")
        few = queries_for(as_ana, friends.get_absolute_url())
        for number in range(10):
            do_create_post(author=ben, text=f"Post {number}")
        many = queries_for(as_ana, friends.get_absolute_url())
        assert len(many) <= len(few) <= LIST_QUERIES, many


class TestEdit:
    def test_it_is_renamed(self, as_ana, friends):
        assert as_ana.post(reverse("list-edit", args=[friends.pk]), {"name": "Close"}).url == f"/lists/{friends.pk}/"
        assert AccountList.objects.get().name == "Close"

    def test_a_wrong_name_changes_nothing(self, as_ana, ana, friends):
        do_create_list(owner=ana, name="Others")
        response = as_ana.post(reverse("list-edit", args=[friends.pk]), {"name": "Others"})
        assert response.status_code == 422
        assert "a list of this name" in text_of(response)
        friends.refresh_from_db()
        assert friends.name == "Friends"

    def test_people_come_and_go(self, as_ana, friends, ana, ben):
        add, remove = reverse("list-add", args=[friends.pk]), reverse("list-remove", args=[friends.pk, "ben"])
        edit = reverse("list-edit", args=[friends.pk])
        assert as_ana.post(remove).url == edit
        assert members_of(friends) == []
        assert as_ana.post(add, {"username": " @ben "}).url == edit
        assert members_of(friends) == [ben]
        page = as_ana.get(edit)
        assert "@ben" in text_of(page)
        assert_safe(page)

    def test_a_suspended_member_is_marked_counted_and_taken_out(self, as_ana, friends, ben):
        User.objects.filter(pk=ben.pk).update(is_active=False)
        page = as_ana.get(reverse("list-edit", args=[friends.pk]))
        assert "@ben" in text_of(page)
        assert "This account is not active" in text_of(page)
        assert "1 member" in text_of(as_ana.get("/lists/"))
        as_ana.post(reverse("list-remove", args=[friends.pk, "ben"]))
        assert members_of(friends) == []
        assert "0 members" in text_of(as_ana.get("/lists/"))

    def test_nobody_is_taken_out_who_never_was(self, as_ana, friends):
        assert as_ana.post(reverse("list-remove", args=[friends.pk, "nobody"])).status_code == 404

    @pytest.mark.parametrize("username", ["", "nobody", "a\x00b", "x" * 500])
    def test_nobody_is_explained(self, as_ana, friends, username):
        response = as_ana.post(reverse("list-add", args=[friends.pk]), {"username": username})
        assert response.status_code == 422
        assert "nobody of this name" in text_of(response)

    def test_it_is_deleted_after_asking(self, as_ana, friends):
        address = reverse("list-delete", args=[friends.pk])
        assert "Delete the list “Friends”?" in text_of(as_ana.get(address))
        assert AccountList.objects.exists()
        assert as_ana.post(address).url == "/lists/"
        assert not AccountList.objects.exists()


class TestGone:
    @pytest.mark.parametrize(("name", "given"), [("list-edit", {"name": "Close"}), ("list-add", {"username": "ana"})])
    def test_a_list_that_is_deleted_meanwhile_is_not_found(self, as_ana, friends, monkeypatch, name, given):
        def find_and_delete(owner: User, pk: int) -> AccountList | None:
            found = find_list(owner, pk)
            AccountList.objects.filter(pk=pk).delete()
            return found

        monkeypatch.setattr(views, "find_list", find_and_delete)
        assert as_ana.post(reverse(name, args=[friends.pk]), given).status_code == 404
        assert not AccountList.objects.exists()


class TestOfPerson:
    def test_a_profile_leads_there(self, as_ana, ben):
        assert reverse("person-lists", args=["ben"]) in as_ana.get("/@ben/").content.decode()

    def test_all_lists_are_set_at_once(self, as_ana, ana, ben, friends):
        others = do_create_list(owner=ana, name="Others")
        page = as_ana.get("/@ben/lists/")
        assert f'value="{friends.pk}" checked' in page.content.decode()
        assert f'value="{others.pk}" checked' not in page.content.decode()
        assert_safe(page)
        assert as_ana.post("/@ben/lists/", {"list": [others.pk, "x", "²"], "new": "Third"}).url == "/@ben/"
        assert [bool(members_of(one)) for one in AccountList.objects.order_by("pk")] == [False, True, True]

    @pytest.mark.parametrize("digits", [30, 5000])
    def test_a_number_beyond_all_numbers_is_no_list(self, as_ana, ben, friends, digits):
        given = {"list": [friends.pk, "9" * digits]}
        assert as_ana.post("/@ben/lists/", given).url == "/@ben/"
        assert members_of(friends) == [ben]

    def test_what_is_wrong_is_said_and_nothing_changed(self, as_ana, ben, friends):
        response = as_ana.post("/@ben/lists/", {"new": "Friends"})
        assert response.status_code == 422
        assert "a list of this name" in text_of(response)
        assert members_of(friends) == [ben]

    def test_nobody_is_not_found(self, as_ana):
        assert as_ana.get("/@nobody/lists/").status_code == 404
