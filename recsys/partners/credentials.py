"""The format of API keys: `trib_<prefix>_<secret>`. The prefix is public, the secret is never stored."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

_FORMAT = re.compile(r"trib_(?P<prefix>[0-9a-f]{12})_[0-9a-f]{48}", re.ASCII)


@dataclass(frozen=True)
class NewCredential:
    """A key that was just made: `text` goes to its owner, the rest into the database."""

    text: str
    prefix: str
    digest: str


def make_credential() -> NewCredential:
    """A new key with 192 random bits."""
    prefix = secrets.token_hex(6)
    text = f"trib_{prefix}_{secrets.token_hex(24)}"
    return NewCredential(text=text, prefix=prefix, digest=digest(text))


def digest(text: str) -> str:
    """The SHA-256 of a whole key. A slow hash would protect short secrets; this one cannot be guessed."""
    return hashlib.sha256(text.encode()).hexdigest()


def prefix_of(text: str) -> str | None:
    """The public prefix of a well-formed key, else None."""
    found = _FORMAT.fullmatch(text)
    return found["prefix"] if found else None
