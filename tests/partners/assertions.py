from __future__ import annotations

from typing import Any

import orjson


def assert_problem(response: Any, status: int, *words: str) -> dict[str, Any]:
    """The answer is a complete problem with that status, whose text holds `words`; returns it."""
    body = bytes(response.content)
    assert response.status_code == status, body
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = orjson.loads(body)
    assert problem["status"] == status
    assert problem["type"].startswith("urn:tributary:problem:")
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == response.headers["X-Request-ID"]
    for word in words:
        assert word in body.decode(), body
    return problem
