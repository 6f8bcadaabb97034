"""A partner's program follows streams as a user of theirs, for as long as the key holds that let it in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.site import Site, wait_for

NAME = "customer-4711"
SUBSCRIBE = {"subscribe": [{"id": "1", "kind": "timeline"}], "wait": 0}


@pytest.fixture
def key(site: Site) -> str:
    return site.manage("create_api_key", "Web shop").splitlines()[-1]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_token_lets_in_until_its_key_is_revoked(site: Site, key: str, ask: Callable[..., Any]) -> None:
    api = f"{site.url}/api/v1/users"
    httpx.post(api, json={"users": [{"external_id": NAME}]}, headers=bearer(key)).raise_for_status()
    answer = httpx.post(f"{api}/{NAME}/realtime-token", headers=bearer(key)).raise_for_status().json()
    assert answer["url"] == f"{site.url}/realtime/"

    def poll() -> Any:
        return httpx.post(f"{answer['url']}poll", json=SUBSCRIBE, headers=bearer(answer["token"]))

    assert [message["type"] for message in poll().raise_for_status().json()["messages"]] == ["subscribed"]
    ask("revoke", key.split("_")[1])
    wait_for(lambda: poll().status_code == 401, timeout=10, what="the token holds no more")
    assert httpx.post(f"{api}/{NAME}/realtime-token", headers=bearer(key)).status_code == 401
