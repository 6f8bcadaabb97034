from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django_htmx.middleware import HtmxDetails

from recsys.accounts.models import User
from recsys.accounts.requests import keyset, next_address, reader, signed_in


def request_by(
    user: User | AnonymousUser,
    path: str = "/here/?x=1",
    *,
    method: str = "get",
    htmx: bool = False,
    data: dict[str, str] | None = None,
) -> HttpRequest:
    headers = {"HX-Request": "true"} if htmx else {}
    request: HttpRequest = getattr(RequestFactory(), method)(path, data, headers=headers)
    request.user = user
    request.htmx = HtmxDetails(request)  # type: ignore[attr-defined]
    return request


@signed_in
def greet(request, user, name):
    return HttpResponse(f"{user.username} {name}")


def test_a_reader_is_handed_to_the_view():
    request = request_by(User(username="ana"))
    assert greet(request, name="x").content == b"ana x"
    assert reader(request) == request.user
    assert reader(request_by(AnonymousUser())) is None


def test_a_visitor_is_sent_to_log_in_and_back_to_a_page_but_not_to_a_form_or_a_part():
    assert greet(request_by(AnonymousUser()), name="x")["Location"] == "/accounts/login/?next=/here/%3Fx%3D1"
    assert greet(request_by(AnonymousUser(), method="post"), name="x")["Location"] == "/accounts/login/?next=/"
    part = greet(request_by(AnonymousUser(), htmx=True), name="x")
    assert (part.status_code, part["HX-Redirect"]) == (401, "/accounts/login/?next=/")


@pytest.mark.parametrize(
    ("wanted", "address"),
    [
        ("/@ana/", "/@ana/"),
        ("http://testserver/x", "http://testserver/x"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_going_on_never_leaves_the_site(wanted, address):
    assert next_address(request_by(AnonymousUser(), method="post", data={"next": wanted})) == address


@pytest.mark.parametrize(
    ("text", "cursor"),
    [
        ("7", 7),
        ("0", None),
        ("-1", None),
        ("x", None),
        ("", None),
        ("9" * 19, None),
        ("9" * 5000, None),
        ("0" * 19 + "1" * 5000, None),
        ("٣", None),
    ],
)
def test_cursors_are_positive_and_fit_the_database(text, cursor):
    assert keyset(request_by(AnonymousUser(), f"/?before={text}")) == cursor
