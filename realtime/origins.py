"""Whose pages may open a socket. Browsers send cookies with a socket from any page, so the page's origin decides.

Unlike Channels' validator this compares scheme, host and port: a page on another port of the same host is another site.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.utils.http import is_same_domain

from realtime.asgi_types import Scope


def is_own_origin(scope: Scope) -> bool:
    """Whether the page that opens this socket is the site's own, or one of CSRF_TRUSTED_ORIGINS."""
    origin = header(scope, b"origin")
    if not origin:
        return False
    request = _SocketRequest(scope)
    try:
        if origin == f"{request.scheme}://{request.get_host()}":
            return True
    except DisallowedHost:
        return False
    return origin in settings.CSRF_TRUSTED_ORIGINS or _is_trusted_subdomain(origin)


def header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _is_trusted_subdomain(origin: str) -> bool:
    page = urlsplit(origin)
    trusted = (urlsplit(pattern) for pattern in settings.CSRF_TRUSTED_ORIGINS if "*" in pattern)
    return any(
        page.scheme == pattern.scheme and is_same_domain(page.netloc, pattern.netloc.lstrip("*")) for pattern in trusted
    )


class _SocketRequest(HttpRequest):
    """The handshake as Django's own checks of host and scheme see it (ALLOWED_HOSTS, SECURE_PROXY_SSL_HEADER, …)."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self._secure = scope.get("scheme") in ("wss", "https")
        host, port = scope.get("server") or ("unknown", 0)
        self.META = {"SERVER_NAME": host, "SERVER_PORT": str(port)}
        for name, value in scope["headers"]:
            self.META["HTTP_" + name.decode("latin-1").upper().replace("-", "_")] = value.decode("latin-1")

    def _get_scheme(self) -> str:
        return "https" if self._secure else "http"
