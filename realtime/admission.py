"""Who is let in: by what they show, from which page, and how many they are already."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Network, ip_address
from urllib.parse import parse_qs

import structlog
from django.conf import settings
from django.http import parse_cookie

from realtime.asgi_types import Scope
from realtime.batches import OUTAGES, Overloaded
from realtime.closing import Close, Closed
from realtime.hub import Hub
from realtime.origins import header, is_own_origin
from realtime.visitors import Credentials, Visitor

AWAY = (*OUTAGES, Overloaded)  # for a while
logger = structlog.get_logger(__name__)


async def admit_scope(scope: Scope) -> tuple[Visitor, str]:
    """Who opens this connection, and from which address. Raises Closed where they are not let in.

    Origin and rates are looked at before anything is asked of a database.
    """
    credentials = credentials_of(scope)
    address = address_of(scope)
    hub = Hub.of_running_loop()
    hub.connections.check_address(address)
    return await admit(hub, credentials), address


async def admit(hub: Hub, credentials: Credentials) -> Visitor:
    """Who shows these credentials. Raises Closed where they let nobody in, or accounts cannot be read just now."""
    if credentials == Credentials():
        return Visitor()
    try:
        return await hub.admit(credentials)
    except AWAY as error:
        logger.warning("cannot_admit", error=repr(error))
        raise Closed(Close.TRY_LATER, "Accounts cannot be read just now.") from None


def credentials_of(scope: Scope) -> Credentials:
    """What a handshake or request shows. Raises Closed for a page of a foreign origin.

    Browsers send cookies along with what any page asks for, so those count only where the page is the site's own. An
    access token is shown by the page itself, whose origin must be one of REALTIME_ORIGINS; programs have none.
    """
    origin = header(scope, b"origin")
    own = is_own_origin(scope)
    if origin and not own and origin not in settings.REALTIME_ORIGINS:
        raise Closed(Close.FOREIGN_ORIGIN, f"Pages of {origin[:200]} may not connect here (see REALTIME_ORIGINS).")
    if token := _token_of(scope):
        return Credentials(token=token)
    return Credentials(session_key=_session_key(scope)) if own or _is_own_read(scope, origin) else Credentials()


def address_of(scope: Scope) -> str:
    """The client's address; behind a proxy the one that it tells, where FORWARDED_ALLOW_IPS trusts it.

    Of IPv6 the network of 64 bits: whoever has one address there has all of them.
    """
    text = str((scope.get("client") or ("unknown",))[0])
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv4Address):
        return text
    return str(address.ipv4_mapped or IPv6Network((address, 64), strict=False))


def _is_own_read(scope: Scope, origin: str) -> bool:
    """A GET without an origin: browsers send none with what a page reads from its own site, and say so otherwise."""
    reads = scope["type"] == "http" and scope["method"] == "GET" and not origin
    return reads and header(scope, b"sec-fetch-site") in ("", "same-origin", "none")


def _token_of(scope: Scope) -> str:
    scheme, _, token = header(scope, b"authorization").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    if scope["type"] != "http":
        return ""
    # An EventSource cannot send headers.
    return next(iter(parse_qs(scope["query_string"].decode("latin-1")).get("token", ())), "")


def _session_key(scope: Scope) -> str:
    # Not http.cookies, which gives up all cookies for one that another program of the same host wrote badly.
    key = parse_cookie(header(scope, b"cookie")).get(settings.SESSION_COOKIE_NAME, "")
    if not key:
        return ""
    # What cannot be a key is asked for as one that nobody has.
    return key if key.isascii() and key.isalnum() and len(key) <= 40 else "-"
