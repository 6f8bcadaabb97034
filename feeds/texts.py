"""What the words of a post mean: links, mentions and hashtags. One parser for finding them and for showing them.

    See https://example.org/a_(b), @ana! #Café     a link, a mention and the tag "café"

Everything else is text, and whatever is shown is escaped piece by piece, so that no input becomes markup. Each piece is
found by one pass of a pattern that never goes back over what it took: the work grows with the length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Literal
from urllib.parse import urlsplit

from django.db.models import Q
from django.urls import reverse
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from recsys.accounts.models import User

LONGEST_TAG = 100
MOST_TAGS, MOST_MENTIONS = 30, 30  # different ones in a text that count and are links; further ones are plain words
SHOWN_ADDRESS = 60  # characters of a link that are shown
LONGEST_ADDRESS = 1000


def _marks() -> str:
    """Ranges of a character class: the signs that belong to a letter before them, without which Hindi has no words."""
    ranges = []
    inside = (code for code in range(0x300, 0xFE00) if unicodedata.category(chr(code))[0] == "M")
    for _, run in groupby(enumerate(inside), lambda place: place[1] - place[0]):
        codes = [code for _, code in run]
        ranges.append(f"{chr(codes[0])}-{chr(codes[-1])}")
    return "".join(ranges)


_MARKS = _marks()

# Possessive (+ after a quantifier): what is taken is not given back piece by piece. What nobody sees ends a link, since
# it could make it look like another one.
_UNSEEN = "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u205f-\u206f\ufeff\ufff9-\uffff"
_TOKEN = re.compile(
    rf"""
      (?<![\w@]) (?P<link> https?://[^\s\x00-\x20\x7f-\xa0<>"\\^`{{|}}{_UNSEEN}]++ )
    | (?<![\w@#＃&/.+-]) @(?P<mention> [a-zA-Z0-9][a-zA-Z0-9_.-]*+ )
    | (?<![\w@#＃&/]) [#＃](?P<hashtag> \w[\w{_MARKS}]*+ )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CANONICAL_TAG = re.compile(rf"\w[\w{_MARKS}]*+")
_AFTER_LINKS = ".,:;!?'\"…*_~’”»。，、！？"
_BRACKETS = {")": "(", "]": "[", "）": "（"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text as it was written, and what it means: the address of a link, the canonical form of a tag, the
    name in a mention, "" for plain words.
    """

    kind: Literal["text", "link", "mention", "hashtag"]
    written: str
    meaning: str = ""


def pieces(text: str) -> Iterator[Piece]:
    """The parts of a text in their order; together they are the text."""
    taken = 0
    seen: dict[str, set[str]] = {"mention": set(), "hashtag": set()}
    for found in _TOKEN.finditer(text):
        piece = _read(found)
        if piece is None or not _counts(piece, seen):
            continue
        if found.start() > taken:
            yield Piece("text", text[taken : found.start()])
        yield piece
        taken = found.start() + len(piece.written)
    if taken < len(text):
        yield Piece("text", text[taken:])


def _read(found: re.Match[str]) -> Piece | None:
    """What a match of the pattern really is; None: plain words."""
    if link := found["link"]:
        written = _without_punctuation(link)
        address = _address(written)
        return Piece("link", written, address) if address else None
    if mention := found["mention"]:
        name = mention.rstrip(".-")
        after = found.string[found.start() + 1 + len(name) :][:1]
        return None if after == "@" or after == "_" or after.isalnum() else Piece("mention", f"@{name}", name)
    tag = canonical_tag(found["hashtag"])
    return Piece("hashtag", found[0], tag) if tag else None


def _counts(piece: Piece, seen: Mapping[str, set[str]]) -> bool:
    if piece.kind == "link":
        return True
    names, most = seen[piece.kind], MOST_TAGS if piece.kind == "hashtag" else MOST_MENTIONS
    name = piece.meaning.lower()
    if name not in names and len(names) >= most:
        return False
    names.add(name)
    return True


def canonical_tag(written: str) -> str:
    """The form that equal tags share; "" for what is no tag: it needs a letter, and LONGEST_TAG characters at most."""
    if len(written) > LONGEST_TAG:
        return ""
    tag = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", written).casefold())
    fits = len(tag) <= LONGEST_TAG and _CANONICAL_TAG.fullmatch(tag) and any(map(str.isalpha, tag))
    return tag if fits else ""


def _without_punctuation(link: str) -> str:
    """A link without what belongs to the sentence around it: its last full stop, or a bracket that it did not open."""
    end = len(link)
    open_brackets = {closing: link.count(opening) - link.count(closing) for closing, opening in _BRACKETS.items()}
    while end:
        last = link[end - 1]
        if last in _BRACKETS and open_brackets[last] < 0:
            open_brackets[last] += 1
        elif last not in _AFTER_LINKS:
            break
        end -= 1
    return link[:end]


def _address(written: str) -> str:
    """The address that a link leads to, its host in ASCII, so that a foreign letter that looks like ours shows as what
    it is; "" for what leads nowhere, or pretends to: a name before an @ is not the host.
    """
    if len(written) > LONGEST_ADDRESS:
        return ""
    try:
        parts = urlsplit(written)
        host = (parts.hostname or "").encode("idna").decode()
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:  # UnicodeError is one
        return ""
    if not host or "@" in parts.netloc or not re.fullmatch(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]", _bracketed(host)):
        return ""
    return parts._replace(scheme=parts.scheme.lower(), netloc=_bracketed(host) + port).geturl()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def hashtags_of(text: str) -> list[str]:
    """The tags of a text in their canonical form, each once, in their order."""
    return list(dict.fromkeys(piece.meaning for piece in pieces(text) if piece.kind == "hashtag"))


def names_in(text: str) -> list[str]:
    """The names that a text mentions as written, whether there are such people or not."""
    return list(dict.fromkeys(piece.meaning for piece in pieces(text) if piece.kind == "mention"))


def named(names: Iterable[str]) -> Q:
    """The condition for the active users of these names. Sign-up stores them in lower case, the admin as written."""
    wanted = {form for name in names for form in (name, name.lower())}
    return Q(username__in=wanted, is_active=True)


def person_of(name: str, people: Mapping[str, User]) -> User | None:
    """Whom a name means, of `people` by their username."""
    return people.get(name) or people.get(name.lower())


def render(text: str, people: Mapping[str, User]) -> SafeString:
    """The text as markup: links, tags and those of the mentions whose user is among `people` (by username) lead there.

    The only place that makes markup of what somebody wrote.
    """
    return mark_safe("".join(_shown(piece, people) for piece in pieces(text)))  # noqa: S308 (of escaped pieces)


def _shown(piece: Piece, people: Mapping[str, User]) -> SafeString:
    if piece.kind == "link":
        label = piece.meaning if not piece.written.isascii() else piece.written
        short = label if len(label) <= SHOWN_ADDRESS else f"{label[: SHOWN_ADDRESS - 1]}…"
        return format_html('<a href="{}" rel="nofollow noopener ugc">{}</a>', piece.meaning, short)
    if piece.kind == "hashtag":
        address = reverse("hashtag", args=[piece.meaning])
        return format_html('<a href="{}" class="hashtag">{}</a>', address, piece.written)
    if piece.kind == "mention" and (person := person_of(piece.meaning, people)):
        return format_html('<a href="{}" class="mention">{}</a>', person.get_absolute_url(), piece.written)
    return conditional_escape(piece.written)
