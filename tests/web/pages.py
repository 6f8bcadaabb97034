"""What tests of pages share."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

HTMX = {"HX-Request": "true"}


def queries_for(client: Client, path: str, **kwargs: Any) -> list[str]:
    """The statements that a page reads and writes with, without those around them (savepoints, settings)."""
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path, **kwargs).status_code == 200
    around = ("SAVEPOINT", "RELEASE", "ROLLBACK", "SELECT set_config", "SELECT current_setting")
    return [query["sql"] for query in queries.captured_queries if not query["sql"].startswith(around)]


def text_of(response: Any) -> str:
    """The words of a page, without its tags, with single spaces."""
    body = response.content.decode()
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


class _Auditor(HTMLParser):
    """Gathers what a strict content security policy, or good sense, forbids."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        is_data = given.get("type") == "application/json"
        if tag == "style" or "style" in given or (tag == "script" and not given.get("src") and not is_data):
            self.faults.append(f"inline style or script: <{tag} {given}>")
        self.faults += [f"inline handler: <{tag} {name}>" for name in given if name.startswith(("on", "hx-on"))]
        for name in ("href", "src", "action"):
            if re.match(r"\s*(javascript|data|vbscript):", given.get(name) or "", re.IGNORECASE):
                self.faults.append(f"a link that runs code: {given[name]}")
        if tag == "form" and (given.get("action") or "").startswith("http"):
            self.faults.append("a form to another site")
        self.ids.append(given.get("id") or "")


def assert_safe(response: Any) -> None:
    """Nothing inline, no link that runs code, no id twice, and the policy that forbids them is sent."""
    auditor = _Auditor()
    auditor.feed(response.content.decode())
    ids = [name for name in auditor.ids if name]
    auditor.faults += [f"id twice: {name}" for name in sorted({name for name in ids if ids.count(name) > 1})]
    assert not auditor.faults, auditor.faults
    policy = response["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
