"""Access tokens: how the page of another site, or a program, connects as a user of this one.

Whoever may act for users (a partner's server, through the REST API) is given a token, signed and short-lived, and hands
it to its page. It names its *issuer*, so that everything that was let in by one is closed when the issuer ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from django.core import signing

SHORTEST, LONGEST = 60, 3600  # seconds
LIFETIME = 600
MAX_LENGTH = 1000  # characters
_SALT = "realtime.access"

# Issuers → those of them that may still let somebody in. May query the database.
IssuerCheck = Callable[[Collection[str]], Collection[str]]

_checks: list[IssuerCheck] = []


class AccessError(ValueError):
    """A text that is no access token, or one that does not hold any more; says which."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a token says: whom it lets in, who gave it, and until when it holds (seconds, as `time.time`)."""

    user: int
    issuer: str
    expires_at: float


def make_token(*, user: int, issuer: str, lifetime: int = LIFETIME) -> str:
    """A token that lets `user` in for `lifetime` seconds; ValueError where that is out of bounds."""
    if not SHORTEST <= lifetime <= LONGEST:
        raise ValueError(f"A token holds for {SHORTEST} to {LONGEST} seconds, not {lifetime}.")
    return signing.dumps({"u": user, "i": issuer, "e": int(time.time()) + lifetime}, salt=_SALT)


def read_token(token: str) -> Access:
    """What `token` says; AccessError where it is none, or has expired."""
    if len(token) > MAX_LENGTH:
        raise AccessError("This is no access token: it is too long.")
    try:
        claims = signing.loads(token, salt=_SALT)
        access = Access(int(claims["u"]), str(claims["i"]), float(claims["e"]))
    except (signing.BadSignature, ValueError, KeyError, TypeError):
        raise AccessError("This is no access token of this site. Check that it was copied whole.") from None
    if access.expires_at <= time.time():
        raise AccessError("The access token has expired. Ask for a new one.")
    return access


def register_issuer_check(check: IssuerCheck) -> None:
    """Let this say which issuers are still valid. Registering another one is an error in the program."""
    if check not in _checks:
        if _checks:
            raise ValueError(f"Issuers are checked by {_checks[0]!r} already.")
        _checks.append(check)


def valid_issuers(issuers: Collection[str]) -> set[str]:
    """Those of `issuers` who may still let somebody in; none where nobody says so."""
    return set(_checks[0](issuers)) if _checks and issuers else set()
