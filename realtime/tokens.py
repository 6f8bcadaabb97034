"""The position token: what a page render, a socket, SSE and a poll hand to the client to resume from.

It is opaque to clients and names each stream with its position. Names come from the server's rules alone: a name in a
token that the rule does not give is ignored, so a forged token can at most make its owner reload.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from realtime.scripts import Position

LONGEST = 32 * 1024  # characters
_OFFSETS = 2**53  # beyond it Lua's numbers are not exact
_DIGITS = re.compile(r"[0-9]{1,16}\Z")


def encode(positions: Mapping[str, Position]) -> str:
    """`name=epoch.offset~name=…`: safe in a URL, in a header and in an attribute."""
    return "~".join([f"{name}={epoch}.{offset}" for name, (epoch, offset) in positions.items()])


def encode_ids(positions: Iterable[tuple[str, bytes]]) -> str:
    """`encode` of positions as Valkey names them, `<epoch>-<offset>`: each page has one for each of its streams."""
    return "~".join(f"{name}={position.decode().replace('-', '.')}" for name, position in positions)


def decode(token: str) -> dict[str, Position] | None:
    """The positions of a token, or None for a text that is none (which is answered like an outdated one)."""
    if not token or len(token) > LONGEST:
        return None
    positions = {}
    for part in token.split("~"):
        name, _, position = part.partition("=")
        epoch, _, offset = position.partition(".")
        if not (_DIGITS.match(epoch) and _DIGITS.match(offset)):
            return None
        positions[name] = Position(int(epoch), int(offset))
    return positions if all(p.epoch < _OFFSETS and p.offset < _OFFSETS for p in positions.values()) else None
