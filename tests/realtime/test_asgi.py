from __future__ import annotations

import re
import sys

import pytest

from realtime import asgi
from realtime.closing import Close
from tests.architecture.tree import name_of, sources
from tests.realtime.conftest import Socket, headers_of, requested

EXTRA = "/realtime/graphql"


@pytest.fixture
def without_graphql(monkeypatch):
    """As where the packages of the extra are not installed."""
    monkeypatch.setitem(sys.modules, "strawberry", None)
    monkeypatch.delitem(sys.modules, "realtime.graphql.consumers", raising=False)
    monkeypatch.setattr(asgi, "SOCKETS", asgi.sockets())
    assert "realtime.graphql.consumers" not in sys.modules


async def test_without_its_packages_there_is_no_graphql(without_graphql):
    assert list(asgi.SOCKETS) == ["/realtime/ws"]
    socket = Socket(asgi.application, EXTRA, headers=headers_of(), subprotocols=["graphql-transport-ws"])
    assert await socket.connect() == (True, None)
    assert await socket.closed_with() == Close.NO_SUCH_PATH
    await socket.wait()


async def test_without_its_packages_its_path_is_answered_like_every_unknown_one(without_graphql):
    answers = []
    for path in (EXTRA, "/realtime/nothing"):
        async with requested("GET", path) as response:
            answers.append((response.status, await response.json()))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    assert EXTRA not in answers[0][1]["message"]


def test_what_is_not_installed_everywhere_is_imported_by_the_extra_alone():
    import_ = re.compile(r"^\s*(?:from|import) (strawberry\w*|graphql|realtime\.graphql)\b", re.M)
    found = {name_of(path): set(import_.findall(path.read_text())) for path in sources()}
    outside = {name: names for name, names in found.items() if names and not name.startswith("realtime/graphql/")}
    assert outside == {"realtime/asgi.py": {"realtime.graphql"}}
    assert found["realtime/graphql/schema.py"] >= {"strawberry", "graphql"}
