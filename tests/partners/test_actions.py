from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from recsys.partners.actions import ClientError, do_create_client, do_create_key, do_revoke_key
from recsys.partners.models import ApiClient, ApiKey

pytestmark = pytest.mark.django_db


def test_keys_are_all_different(client_row: ApiClient) -> None:
    assert len({do_create_key(client=client_row, scopes=["read"]).text for _ in range(20)}) == 20


@pytest.mark.parametrize("scopes", [[], ["admin"], ["read", "everything"]])
def test_a_key_needs_known_scopes(client_row: ApiClient, scopes: list[str]) -> None:
    with pytest.raises(ClientError, match="read, write"):
        do_create_key(client=client_row, scopes=scopes)
    assert not ApiKey.objects.exists()


def test_the_database_refuses_unknown_scopes(client_row: ApiClient) -> None:
    for scopes in ([], ["admin"]):
        with pytest.raises(IntegrityError), transaction.atomic():
            ApiKey.objects.create(client=client_row, prefix="0" * 12, digest="0" * 64, scopes=scopes)


def test_revoking_again_keeps_the_first_time(client_row: ApiClient) -> None:
    key = do_create_key(client=client_row, scopes=["read"]).key
    do_revoke_key(key=key)
    key.refresh_from_db()
    first = key.revoked_at
    assert first is not None
    ApiKey.objects.update(revoked_at=first.replace(year=2020))
    do_revoke_key(key=key)
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert key.revoked_at.year == 2020


def test_a_client_is_made_once(client_row: ApiClient) -> None:
    assert do_create_client(name=" Web shop ", requests_per_minute=5) == client_row
    assert ApiClient.objects.get().requests_per_minute == 6000


@pytest.mark.parametrize(("name", "allowance"), [("", 1), ("x" * 101, 1), ("a\x00b", 1), ("ok", 0), ("ok", 2**31)])
def test_a_client_needs_a_name_and_an_allowance(db: None, name: str, allowance: int) -> None:
    with pytest.raises(ClientError):
        do_create_client(name=name, requests_per_minute=allowance)
