"""Why a post is in a reader's home timeline, or is not.

The verdict is the rule of `visibility.py` itself; the reasons are its parts, each asked in SQL in the same query. So
the explanation agrees with the timeline, and a rule that changes there changes here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import redis
from django.db import connection

from feeds import timelines
from feeds.fanout import CHUNK_TOPIC
from feeds.models import Delivery, DeliveryMode
from feeds.selectors import graph_of
from feeds.timelines import author_list, home
from feeds.visibility import (
    answers_heard,
    apart,
    follows,
    hears,
    home_rule,
    may_see,
    may_see_row,
    mutes,
    was_original,
    was_reposted,
)
from feeds.why_texts import sentence
from recsys.accounts.models import User
from recsys.prepared import read_prepared

LARGEST_ID = 2**63 - 1


class Verdict(StrEnum):
    SHOWN = "shown"
    REPOSTED = "reposted"  # not as an entry of its own, but in a repost that is one
    ABSENT = "absent"


class Place(StrEnum):
    """Where a page finds a post that the timeline shows."""

    WINDOW = "window"
    SQL = "sql"  # it lies below what the window holds
    ON_ITS_WAY = "on_its_way"  # SQL has it, its fan-out has not brought it yet
    LACKING = "lacking"  # the window should hold it: the auditor's business
    COLD = "cold"  # the next visit fills the window, with it
    UNKNOWN = "unknown"  # Valkey did not answer


@dataclass(frozen=True, slots=True)
class Reason:
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A part of the fan-out that has not ended for this reader; parked after failing, with its error, or due."""

    since: datetime
    parked: bool
    error: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the timeline of a reader does with a post. The first reason alone decides; the others add to it.

    `related` is the entry that shows it instead: a repost of it, or what stood there before.
    """

    reader: int
    post: int
    verdict: Verdict
    reasons: tuple[Reason, ...]
    author: int | None = None
    mode: str | None = None
    followed_at: datetime | None = None
    related: int | None = None
    place: Place | None = None
    deliveries: tuple[Delivery, ...] = ()
    waiting: tuple[Waiting, ...] = ()

    @property
    def shown(self) -> bool:
        """It is an entry of the home timeline."""
        return self.verdict is Verdict.SHOWN

    @property
    def primary(self) -> str:
        return self.reasons[0].code


def _named(person: str) -> str:
    """What people are called on pages, as `User.name`."""
    return f"coalesce(nullif({person}.display_name, ''), {person}.username)"


_ME = "%(reader)s::bigint"

# What the rules say of the post `p`, part by part.
_FACTS = {
    "author_id": "p.author_id",
    "mode": "p.mode",
    "visibility": "p.visibility",
    "repost_of_id": "p.repost_of_id",
    "created_at": "p.created_at",
    "author": _named("author"),
    "is_active": "author.is_active",
    "is_private": "author.is_private",
    "own": f"p.author_id = {_ME}",
    "followed_at": "f.created_at",
    "follows": follows(_ME, "p.author_id"),
    "mutes": mutes(_ME, "p.author_id"),
    "apart": apart(_ME, "p.author_id"),
    "hears": hears(_ME, "p.author_id"),
    "blocks": f"EXISTS (SELECT FROM feeds_block WHERE blocker_id = {_ME} AND blocked_id = p.author_id)",
    "answers_heard": answers_heard(_ME, "p"),
    "answered": _named("answered"),
    "original_public": "original.visibility = 'public'",
    "original_author": _named("original_author"),
    "original_muted": mutes(_ME, "original.author_id"),
    "original_seen": may_see_row(_ME, "original"),
    "may_see": may_see(_ME, "p"),
    "shown": home_rule(_ME, "p"),
    "earlier": f"""(SELECT item_id FROM feeds_post o WHERE {was_original(_ME, "p", "o")}
        UNION ALL
        (SELECT item_id FROM feeds_post e WHERE {was_reposted(_ME, "p", "e")} ORDER BY item_id LIMIT 1)
        LIMIT 1)""",  # noqa: S608 (of our own texts)
    "through": f"""(SELECT r.item_id FROM feeds_post r WHERE r.repost_of_id = p.item_id AND r.author_id IN (
            SELECT followee_id FROM feeds_follow WHERE follower_id = {_ME} UNION ALL SELECT {_ME})
        AND {home_rule(_ME, "r")} ORDER BY r.item_id DESC LIMIT 1)""",  # noqa: S608 (of our own texts)
}

# Prepared, as planning it takes far longer than running it.
_FACTS_SQL = f"""
    SELECT {", ".join(_FACTS.values())}
    FROM feeds_post p JOIN accounts_user author ON author.id = p.author_id
    LEFT JOIN feeds_post original ON original.item_id = p.repost_of_id
    LEFT JOIN accounts_user original_author ON original_author.id = original.author_id
    LEFT JOIN accounts_user answered ON answered.id = p.reply_to_author_id AND answered.id <> p.author_id
    LEFT JOIN feeds_follow f ON f.follower_id = {_ME} AND f.followee_id = p.author_id
    WHERE p.item_id = %(post)s::bigint
"""  # noqa: S608 (of our own texts)

_WAITING = """
    SELECT created_at, parked_at IS NOT NULL, last_error FROM outbox
    WHERE (aggregatetype = 'feeds.post' AND aggregateid = %(post)s::text)
       OR (aggregatetype = %(chunks)s AND type = 'deliver' AND payload -> 'posts' @> to_jsonb(%(post)s::bigint)
           AND payload -> 'readers' @> to_jsonb(%(reader)s::bigint))
    ORDER BY created_at
"""


def explain(*, reader: User, post: int, staff: bool = False) -> Explanation:
    """Why the reader's home timeline shows the post, or why not.

    Unless it is for `staff`, a post that the reader may not see is told from none by nothing: that would tell who
    blocked them, and what others wrote for few.
    """
    facts = _facts(reader.pk, post)
    if facts is None or not (staff or facts["may_see"]):
        code = "no_post" if staff else "not_available"
        return Explanation(reader.pk, post, Verdict.ABSENT, (Reason(code, sentence(code, staff, {})),))
    waiting = _waiting(reader.pk, post)
    codes = _reasons(facts, waiting)
    told = {**facts, "reader": reader.name}
    verdict = Verdict.SHOWN if facts["shown"] else Verdict.REPOSTED if facts["through"] else Verdict.ABSENT
    return Explanation(
        reader=reader.pk,
        post=post,
        verdict=verdict,
        reasons=tuple(Reason(code, sentence(code, staff, told)) for code in codes),
        author=facts["author_id"],
        mode=facts["mode"],
        followed_at=facts["followed_at"],
        related=facts["earlier"] if codes[0] == "shown_earlier" else None if facts["shown"] else facts["through"],
        place=_place(reader, post, facts, waiting) if facts["shown"] else None,
        deliveries=tuple(Delivery.objects.filter(post=post).order_by("first_at")),
        waiting=waiting if staff else (),
    )


def _facts(reader: int, post: int) -> dict[str, Any] | None:
    rows = read_prepared(_FACTS_SQL, {"reader": reader, "post": post})
    return dict(zip(_FACTS, rows[0], strict=True)) if rows else None


def _waiting(reader: int, post: int) -> tuple[Waiting, ...]:
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, {"post": post, "reader": reader, "chunks": CHUNK_TOPIC})
        return tuple(Waiting(*row) for row in cursor.fetchall())


def _reasons(facts: Mapping[str, Any], waiting: tuple[Waiting, ...]) -> list[str]:
    """The codes that hold, the deciding one first."""
    if not facts["shown"]:
        return [_absence(facts), *(["through_repost"] if facts["through"] else [])]
    codes = ["own" if facts["own"] else "follows"]
    if facts["repost_of_id"]:
        codes.append("repost")
    if facts["answered"] and not facts["own"]:
        codes.append("reply_heard")
    if facts["mode"]:
        codes.append(facts["mode"])
    if waiting:
        codes.append("parked" if all(one.parked for one in waiting) else "pending")
    return codes


def _absence(facts: Mapping[str, Any]) -> str:
    """What keeps the post out: the first that does, in the order in which somebody would mend it."""
    checks = (
        (facts["apart"], "blocks" if facts["blocks"] else "blocked"),
        (not facts["own"] and not facts["is_active"], "author_suspended"),
        (not facts["own"] and not facts["follows"], "private_account" if facts["is_private"] else "not_followed"),
        (facts["mutes"], "muted"),
        (not facts["own"] and facts["visibility"] == "private", "private_post"),
        (not facts["own"] and not facts["answers_heard"], "reply_unheard"),
        (facts["repost_of_id"] and not facts["original_public"], "original_not_public"),
        (facts["repost_of_id"] and facts["original_muted"], "original_muted"),
        (facts["repost_of_id"] and not facts["original_seen"], "original_hidden"),
        (facts["earlier"], "shown_earlier"),
    )
    return next((code for holds, code in checks if holds), "other_rule")


def _place(reader: User, post: int, facts: Mapping[str, Any], waiting: tuple[Waiting, ...]) -> Place:
    key = author_list(facts["author_id"]) if facts["mode"] == DeliveryMode.PULL else home(reader.pk)
    graph = graph_of(reader)
    try:
        window = timelines.peek_windows([key]).get(key)
    except redis.RedisError:
        return Place.UNKNOWN
    if window is None or window.tag != graph.tag(key):
        return Place.COLD
    if post < window.floor:
        return Place.SQL
    if post in window.posts:
        return Place.WINDOW
    return Place.ON_ITS_WAY if waiting else Place.LACKING
