"""Sign-up, log-in, passwords and the profile, each with good and bad input."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from recsys.accounts.models import User
from tests.web.pages import assert_safe, text_of

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def sign_up(client: Client, **changes: str):
    data = {"username": "ana", "email": "", "region": "GB", "password1": PASSWORD, "password2": PASSWORD}
    return client.post(reverse("account_signup"), data | changes)


class TestSignUp:
    def test_creates_a_person_with_a_region_and_logs_them_in(self, client):
        response = sign_up(client, username="Ana", region="United Kingdom", email="Ana@Example.org")
        assert response.url == "/"
        user = User.objects.get()
        assert (user.username, user.region, user.email) == ("ana", "GB", "ana@example.org")
        assert client.session["_auth_user_id"] == str(user.pk)

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("username", "", "required"),
            ("username", "a/b", "letters a-z"),
            ("username", "..", "letters a-z"),
            ("username", "admin", "reserved"),
            ("username", "x" * 31, "30 characters"),
            ("username", "TAKEN", "already exists"),
            ("username", "a\x00b", "Null characters"),
            ("email", "not an address", "valid email"),
            ("region", "Atlantis", "Unknown region"),
            ("region", "GB-ABCD", "subdivision"),
            ("password1", "12345", "too short"),
            ("password2", "something else", "same password"),
        ],
    )
    def test_says_at_the_field_what_is_wrong(self, client, field, value, message):
        User.objects.create_user("taken")
        response = sign_up(client, **{field: value})
        body = response.content.decode()
        assert response.status_code == 200
        (error,) = re.findall(rf'id="id_{field}_error">(.*?)</ul>', body, re.S)
        assert message in text_of_html(error)
        assert 'aria-invalid="true"' in body
        assert User.objects.count() == 1
        assert_safe(response)

    def test_keeps_what_was_typed_but_not_the_password(self, client):
        body = sign_up(client, region="Atlantis").content.decode()
        assert 'value="Atlantis"' in body
        assert PASSWORD not in body

    def test_is_limited(self, client):
        for _ in range(20):
            assert sign_up(client, username="").status_code == 200
        response = sign_up(client)
        assert response.status_code == 429
        assert "too fast" in text_of(response)
        assert not User.objects.exists()


def text_of_html(html: str) -> str:
    return re.sub(r"<[^>]+>", " ", html).replace("&#x27;", "'")


class TestLogIn:
    @pytest.fixture(autouse=True)
    def _ana(self):
        User.objects.create_user("ana", password=PASSWORD)

    def log_in(self, client: Client, **changes: str) -> Any:
        return client.post(reverse("account_login"), {"login": "ana", "password": PASSWORD} | changes)

    @pytest.mark.parametrize("login", ["ana", "Ana", " ana "])
    def test_by_username_however_written(self, client, login):
        assert self.log_in(client, login=login).url == "/"

    def test_goes_on_to_where_one_wanted_to_be_but_not_elsewhere(self, client):
        assert self.log_in(client, next="/@ana/").url == "/@ana/"
        client.logout()
        assert self.log_in(client, next="https://evil.example/").url == "/"

    def test_says_what_is_wrong_without_saying_who_exists(self, client):
        wrong = text_of(self.log_in(client, password="wrong"))
        unknown = text_of(self.log_in(client, login="nobody"))
        assert "not correct" in wrong
        assert "not correct" in unknown

    def test_guessing_is_limited(self, client):
        for _ in range(10):
            response = self.log_in(client, password="wrong")
        assert "Too many" in text_of(response)
        assert "Too many" in text_of(self.log_in(client))

    def test_logging_out_takes_a_post(self, client):
        self.log_in(client)
        assert "Log out?" in text_of(client.get(reverse("account_logout")))
        assert "_auth_user_id" in client.session
        client.post(reverse("account_logout"))
        assert "_auth_user_id" not in client.session


class TestPasswords:
    @pytest.fixture
    def ana(self, client) -> User:
        user = User.objects.create_user("ana", email="ana@example.org", password=PASSWORD)
        client.force_login(user)
        return user

    def test_change(self, client, ana):
        address = reverse("account_change_password")
        wrong = {"oldpassword": "x", "password1": "another long one", "password2": "another long one"}
        assert "current password" in text_of(client.post(address, wrong))
        client.post(address, wrong | {"oldpassword": PASSWORD})
        ana.refresh_from_db()
        assert ana.check_password("another long one")

    def test_reset_by_mail(self, client, ana):
        client.logout()
        client.post(reverse("account_reset_password"), {"email": "ana@example.org"})
        (path,) = re.findall(r"http://[^/]+(/\S+)", str(mail.outbox[0].body))
        form = client.get(path, follow=True)
        assert_safe(form)
        address = form.redirect_chain[-1][0]
        client.post(address, {"password1": "another long one", "password2": "another long one"})
        ana.refresh_from_db()
        assert ana.check_password("another long one")

    def test_a_spoilt_reset_link_says_so(self, client):
        assert "Bad Token" in text_of(client.get("/accounts/password/reset/key/1-set-password/"))


class TestProfile:
    @pytest.fixture
    def ana(self, client) -> User:
        user = User.objects.create_user("ana", region="GB", bio="Old")
        client.force_login(user)
        return user

    def test_changes_what_one_says_of_oneself(self, client, ana):
        data = {"display_name": "Ana  Souza", "bio": "New", "region": "br"}
        assert client.post(reverse("profile-edit"), data).url == "/@ana/"
        ana.refresh_from_db()
        assert (ana.display_name, ana.bio, ana.region) == ("Ana Souza", "New", "BR")

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("display_name", "x" * 81, "80 characters"),
            ("display_name", "a\u202eb", "invisible"),
            ("display_name", "a\x00b", "control"),
            ("bio", "x" * 281, "280 characters"),
            ("region", "Nowhere", "Unknown region"),
        ],
    )
    def test_bad_input_is_explained_and_changes_nothing(self, client, ana, field, value, message):
        response = client.post(reverse("profile-edit"), {"display_name": "A", "bio": "B", "region": "", field: value})
        assert response.status_code == 422
        assert message in text_of(response)
        ana.refresh_from_db()
        assert ana.bio == "Old"

    def test_is_for_those_who_are_signed_in(self, client):
        assert client.get(reverse("profile-edit")).url.startswith(reverse("account_login"))

    def test_hostile_text_stays_text(self, client, ana):
        ana.display_name, ana.bio = "<script>alert(1)</script>", "javascript:alert(1) <b onclick=x>"
        ana.save()
        for path in ("/@ana/", reverse("profile-edit"), "/"):
            response = client.get(path)
            assert_safe(response)
            assert "<script>alert" not in response.content.decode()


@pytest.mark.parametrize(
    "name",
    ["account_login", "account_signup", "account_reset_password", "account_reset_password_done", "account_inactive"],
)
def test_every_page_for_those_outside_is_whole_and_safe(client, name):
    response = client.get(reverse(name))
    assert response.status_code == 200
    assert '<main id="content"' in response.content.decode()
    assert_safe(response)


@pytest.mark.parametrize(
    "name", ["account_email", "account_change_password", "account_logout", "account_reauthenticate"]
)
def test_every_page_for_those_inside_is_whole_and_safe(client, name):
    client.force_login(User.objects.create_user("ana", email="ana@example.org", password=PASSWORD))
    response = client.get(reverse(name))
    assert response.status_code == 200
    assert '<main id="content"' in response.content.decode()
    assert_safe(response)
