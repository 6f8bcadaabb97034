"""Who is calling: `Authorization: Bearer trib_<prefix>_<secret>`.

Sessions and cookies do not count here, so the API needs no CSRF token; and a key is read from the header alone, because
addresses end in logs and histories.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from recsys.partners.actions import do_note_use
from recsys.partners.models import ApiClient, ApiKey
from recsys.partners.selectors import find_key, use_is_noted

REALM = 'Bearer realm="Tributary"'


@dataclass(frozen=True)
class Partner:
    """`request.user` of an API request."""

    client: ApiClient
    key: ApiKey
    is_authenticated: bool = True

    @property
    def pk(self) -> int:
        return self.client.pk

    def may(self, scope: str) -> bool:
        return scope in self.key.scopes


class ApiKeyAuthentication(BaseAuthentication):
    """Reads the key in the database at each request, which is why revoking it works at once."""

    def authenticate(self, request: Request) -> tuple[Partner, ApiKey] | None:
        header = get_authorization_header(request).split()
        if not header:
            return None
        if header[0].lower() != b"bearer" or len(header) != 2:
            raise AuthenticationFailed("Send the API key as: Authorization: Bearer trib_…")
        key = find_key(header[1].decode("latin-1"))
        if key is None:
            raise AuthenticationFailed("This API key is not known. Check that it was copied whole.")
        if key.revoked_at is not None:
            raise AuthenticationFailed(f"The API key {key.prefix} was revoked. Ask the site's staff for a new one.")
        if not key.client.is_active:
            raise AuthenticationFailed("This API client is switched off. Ask the site's staff.")
        if not use_is_noted(key):
            do_note_use(key=key)
        structlog.contextvars.bind_contextvars(client=key.client_id)
        return Partner(client=key.client, key=key), key

    def authenticate_header(self, request: Request) -> str:
        return REALM


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema describes the key."""

    target_class = ApiKeyAuthentication
    name = "ApiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "trib_<prefix>_<secret>"}
