"""The subscription of the benches of sockets: one stream, the same for everybody, so that one event goes to all."""

from __future__ import annotations

from typing import Any

KIND = "bench"
STREAM = "bench:all"


def rule(user: Any, argument: str) -> list[str]:
    return [STREAM]
