"""Pages for what goes wrong, and the headers of all."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.template.loader import get_template
from django.test import override_settings
from django.urls import path

from recsys.urls import handler500 as handler500  # also of the addresses below
from tests.web.pages import assert_safe, text_of


def broken(request):
    raise RuntimeError("broken on purpose")


def away(request):
    raise OperationalError("connection to server at 10.0.0.1 refused")


urlpatterns = [path("broken/", broken), path("away/", away)]


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "429", "500", "503"])
def test_error_pages_need_nothing_but_themselves(name):
    page = get_template(f"{name}.html").render()
    assert name[:3] in page
    assert "Go to the first page" in page


@pytest.mark.django_db
def test_not_found_is_a_page(client):
    response = client.get("/nothing/here/")
    assert response.status_code == 404
    assert "There is nothing here" in text_of(response)
    assert_safe(response)


@override_settings(ROOT_URLCONF="tests.web.test_errors")
def test_a_fault_of_ours_is_a_page_and_tells_no_secrets(client):
    client.raise_request_exception = False
    response = client.get("/broken/")
    assert response.status_code == 500
    assert "Something broke" in text_of(response)
    assert "on purpose" not in text_of(response)


@override_settings(ROOT_URLCONF="tests.web.test_errors")
def test_a_service_that_is_away_is_said_to_be_back_soon(client):
    client.raise_request_exception = False
    response = client.get("/away/")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "Back in a moment" in text_of(response)
    assert "10.0.0.1" not in text_of(response)


@pytest.mark.django_db
def test_every_page_forbids_framing_sniffing_and_foreign_code(client):
    headers = client.get("/").headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    for part in (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: https:",
        "object-src 'none'",
        "frame-ancestors 'none'",
    ):
        assert part in headers["Content-Security-Policy"]
