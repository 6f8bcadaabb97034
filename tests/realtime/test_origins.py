from __future__ import annotations

import pytest

from realtime.closing import Close
from realtime.origins import is_own_origin
from tests.realtime.conftest import headers_of, opened


def scope(origin: str | None, host: str = "localhost:8000", scheme: str = "ws", **headers: str) -> dict:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"headers": headers_of(origin=origin, host=host) + pairs, "scheme": scheme, "server": ("127.0.0.1", 8000)}


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        ("http://localhost:8000", True),
        ("https://localhost:8000", False),
        ("http://localhost:8001", False),
        ("http://localhost", False),
        ("http://evil.example", False),
        ("null", False),
        ("", False),
        (None, False),
    ],
)
def test_scheme_host_and_port_all_count(origin, own):
    assert is_own_origin(scope(origin)) is own


def test_a_host_that_is_not_ours_is_no_origin_of_ours():
    """As after rebinding a foreign name to this server's address."""
    assert not is_own_origin(scope("http://evil.example", host="evil.example"))


def test_trusted_origins_count_too(settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://app.example", "https://*.partner.example"]
    for origin, own in {
        "https://app.example": True,
        "http://app.example": False,
        "https://a.partner.example": True,
        "http://a.partner.example": False,
        "https://partner.example.evil.example": False,
    }.items():
        assert is_own_origin(scope(origin)) is own, origin


def test_behind_a_proxy_that_ends_tls(settings):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert is_own_origin(scope("https://localhost:8000", x_forwarded_proto="https"))
    assert not is_own_origin(scope("http://localhost:8000", x_forwarded_proto="https"))
    settings.SECURE_PROXY_SSL_HEADER = None
    assert not is_own_origin(scope("https://localhost:8000", x_forwarded_proto="https")), "anybody can send a header"


def test_a_direct_tls_connection():
    assert is_own_origin(scope("https://localhost:8000", scheme="wss"))


async def test_a_foreign_page_is_refused_before_its_session_is_read():
    """Without a database: this test may not query."""
    async with opened("some-session", origin="http://evil.example") as socket:
        assert await socket.closed_with() == Close.FOREIGN_ORIGIN
