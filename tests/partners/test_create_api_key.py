from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from recsys.partners.models import ApiClient, ApiKey

pytestmark = pytest.mark.django_db


def create(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("create_api_key", *arguments, stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue()


def test_the_printed_key_works() -> None:
    text, _ = create("Web shop", "--scopes", "read")
    api = APIClient(raise_request_exception=False)
    assert api.get("/api/v1/items/x", HTTP_AUTHORIZATION=f"Bearer {text}").status_code == 404
    assert api.delete("/api/v1/items/x", HTTP_AUTHORIZATION=f"Bearer {text}").status_code == 403


def test_a_second_key_of_a_client() -> None:
    create("Web shop")
    create("Web shop")
    assert ApiClient.objects.count() == 1
    assert ApiKey.objects.count() == 2


def test_unknown_scopes_are_named() -> None:
    with pytest.raises(CommandError, match="Unknown scope god"):
        create("Web shop", "--scopes", "read,god")
    assert not ApiKey.objects.exists()


def test_a_client_that_is_switched_off_is_noted() -> None:
    create("Web shop")
    ApiClient.objects.update(is_active=False)
    assert "switched off" in create("Web shop")[1]
