"""Access to realtime streams for a partner's users: tokens in the name of an API key, for as long as that holds."""

from __future__ import annotations

from collections.abc import Collection

from realtime.access import make_token
from recsys.accounts.models import User
from recsys.partners.models import ApiKey

_ISSUER = "key:"


def token_of(*, key: ApiKey, user: User, lifetime: int) -> str:
    """A token that lets `user` in for `lifetime` seconds, unless the key is revoked or its client switched off."""
    return make_token(user=user.pk, issuer=f"{_ISSUER}{key.pk}", lifetime=lifetime)


def valid_keys(issuers: Collection[str]) -> set[str]:
    """Those of the issuers of tokens that are keys and still hold. One query."""
    named = {issuer.removeprefix(_ISSUER): issuer for issuer in issuers if issuer.startswith(_ISSUER)}
    keys = [number for number in named if number.isdecimal()]
    holding = ApiKey.objects.filter(pk__in=keys, revoked_at=None, client__is_active=True)
    return {named[str(pk)] for pk in holding.values_list("pk", flat=True)}
