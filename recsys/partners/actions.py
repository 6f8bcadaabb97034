"""Every write to clients and keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import models, transaction
from django.db.models.functions import Now

from recsys.partners.credentials import make_credential
from recsys.partners.models import ApiClient, ApiKey

USE_PRECISION = timedelta(minutes=1)
MOST_REQUESTS = 2**31 - 1  # what the column holds


class ClientError(ValueError):
    """A client or key cannot be made as asked; the message says why."""


@dataclass(frozen=True)
class CreatedKey:
    """`text` is the key itself: shown to its owner now, and never again."""

    key: ApiKey
    text: str


@transaction.atomic
def do_create_key(*, client: ApiClient, scopes: Sequence[str]) -> CreatedKey:
    """Make a key for `client`. ClientError where `scopes` is empty or names an unknown one."""
    unknown = sorted(set(scopes) - set(ApiKey.Scope.values))
    if unknown or not scopes:
        raise ClientError(
            f"{'Unknown scope ' + ', '.join(unknown) if unknown else 'A key needs a scope'}; "
            f"choose from {', '.join(ApiKey.Scope.values)}."
        )
    credential = make_credential()
    key = ApiKey.objects.create(
        client=client, prefix=credential.prefix, digest=credential.digest, scopes=sorted(set(scopes))
    )
    return CreatedKey(key=key, text=credential.text)


@transaction.atomic
def do_create_client(*, name: str, requests_per_minute: int = 6000) -> ApiClient:
    """Make the client `name`, or return the one of that name, unchanged."""
    name = name.strip()
    if not name.isprintable() or not 0 < len(name) <= 100:
        raise ClientError("The name of a client has 1 to 100 characters, all of them printable.")
    if not 1 <= requests_per_minute <= MOST_REQUESTS:
        raise ClientError(f"A client's allowance is from 1 to {MOST_REQUESTS:,} requests a minute.")
    client, _ = ApiClient.objects.get_or_create(name=name, defaults={"requests_per_minute": requests_per_minute})
    return client


def do_revoke_key(*, key: ApiKey) -> None:
    """Refuse `key` from the next request on. Revoking it again keeps the first time."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=Now())


def do_note_use(*, key: ApiKey) -> None:
    """Remember that `key` was used just now, to the minute: a busy client would otherwise write at every request."""
    stale = models.Q(last_used_at=None) | models.Q(last_used_at__lt=Now() - USE_PRECISION)
    ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=Now())
