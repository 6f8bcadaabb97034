"""Which usernames may exist: they are the last part of a profile's address, `/@name/`."""

from __future__ import annotations

import hashlib
import re

LONGEST = 30

# Names that would let their holder speak for the site.
RESERVED = frozenset(
    """
    about abuse account accounts admin administrator all anonymous api everyone help here home info login logout me
    moderator moderators new null official owner postmaster privacy root security settings signup staff support system
    team terms trending tributary undefined webmaster you
    """.split()  # noqa: SIM905 (a hundred quotes would hide the words)
)

_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9_.-]*[a-z0-9_])?")
_DOTS = re.compile(r"\.{2,}")


def username_fault(username: str) -> str | None:
    """Say what is wrong with `username` (lower case already), or return None."""
    if len(username) > LONGEST:
        return f"A username has at most {LONGEST} characters."
    if not _PATTERN.fullmatch(username) or _DOTS.search(username):
        return "A username is made of letters a-z, digits, and . - _ between them, and begins with a letter or digit."
    if username in RESERVED:
        return "This username is reserved; choose another."
    return None


def derive_username(external_id: str, *, distinct: bool = False) -> str:
    """A username for somebody who is known by `external_id` only; the same one each time.

    `distinct` adds a fingerprint of the id, for an id whose plain form is somebody else's username.
    """
    plain = re.sub(r"[^a-z0-9_]+", "-", external_id.lower()).strip("-_")
    if not distinct and plain == external_id.lower() and username_fault(plain) is None:
        return plain
    fingerprint = hashlib.sha256(external_id.encode()).hexdigest()[:10]
    return f"{plain[: LONGEST - 11] or 'user'}-{fingerprint}"
