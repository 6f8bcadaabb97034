"""Reads about the social graph that pages show: how two people stand to each other, counts, lists of people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL

from feeds.models import Block, Follow, FollowRequest, Mute
from feeds.visibility import VISITOR, apart, unwanted
from recsys.accounts.models import User

PAGE = 30
LONGEST_PAGE = 100
MOST_COUNTED = 100  # requests on a badge

_RELATIONS = """
    SELECT person,
        EXISTS (SELECT FROM feeds_follow WHERE follower_id = %(reader)s AND followee_id = person),
        EXISTS (SELECT FROM feeds_followrequest WHERE requester_id = %(reader)s AND target_id = person),
        EXISTS (SELECT FROM feeds_follow WHERE follower_id = person AND followee_id = %(reader)s),
        EXISTS (SELECT FROM feeds_followrequest WHERE requester_id = person AND target_id = %(reader)s),
        EXISTS (SELECT FROM feeds_mute WHERE muter_id = %(reader)s AND muted_id = person),
        EXISTS (SELECT FROM feeds_block WHERE blocker_id = %(reader)s AND blocked_id = person),
        EXISTS (SELECT FROM feeds_block WHERE blocker_id = person AND blocked_id = %(reader)s)
    FROM unnest(%(people)s::bigint[]) person
"""
_COUNTS = """
    SELECT (SELECT follower_count FROM feeds_authorstats WHERE author_id = %(person)s),
           (SELECT count(*) FROM feeds_follow WHERE follower_id = %(person)s)
"""


@dataclass(frozen=True, slots=True)
class Relation:
    """How a reader stands to a person; all False for a visitor, and towards oneself."""

    follows: bool = False
    requested: bool = False
    followed_by: bool = False
    asked_by: bool = False
    mutes: bool = False
    blocks: bool = False
    blocked_by: bool = False

    @property
    def apart(self) -> bool:
        return self.blocks or self.blocked_by


@dataclass(frozen=True, slots=True)
class Standing:
    """What a profile says of a person's place in the graph. `open`: the reader may see their posts and people."""

    follower_count: int
    following_count: int
    relation: Relation
    open: bool


@dataclass(frozen=True, slots=True)
class PersonEntry:
    """A person in a list: how the reader stands to them, and why they are in it, where that needs saying."""

    person: User
    relation: Relation
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """People of a list; `next_before` asks for the next page, None: there is none."""

    entries: list[PersonEntry]
    next_before: int | None


def relations(*, reader: User | None, people: Iterable[int]) -> dict[int, Relation]:
    """How the reader stands to each of these people; one query, none for a visitor."""
    wanted = list(people)
    if reader is None or not wanted:
        return dict.fromkeys(wanted, Relation())
    with connection.cursor() as cursor:
        cursor.execute(_RELATIONS, {"reader": reader.pk, "people": wanted})
        return {person: Relation(*flags) for person, *flags in cursor.fetchall()}


def standing(*, person: User, reader: User | None) -> Standing:
    """Counts and relation for a profile; one query for a visitor, two for a reader."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"person": person.pk})
        followers, following = cursor.fetchone()
    relation = relations(reader=reader, people=[person.pk])[person.pk]
    return Standing(followers or 0, following, relation, _is_open(person, reader, relation))


def _is_open(person: User, reader: User | None, relation: Relation) -> bool:
    if reader is not None and reader.pk == person.pk:
        return True
    return person.is_active and not relation.apart and (relation.follows or not person.is_private)


def unwanted_people(reader: int) -> frozenset[int]:
    """Whose posts must not be proposed to this reader: muted people, and those from whom a block keeps them."""
    with connection.cursor() as cursor:
        cursor.execute(unwanted("%(reader)s"), {"reader": reader})
        return frozenset(person for (person,) in cursor.fetchall())


def followers_page(*, person: User, reader: User | None, before: int | None = None, limit: int = PAGE) -> PeoplePage:
    """Who follows `person`: the newest accounts first, which is the order that an index has, however many there are.

    Suspended accounts are in it for `person` alone, who can remove them; so it is with whom they follow.
    """
    edges = Follow.objects.filter(followee=person).select_related("follower")
    return people_page(
        _for_reader(edges, "follower", person, reader), "follower", reader, before, limit, by="follower_id"
    )


def following_page(*, person: User, reader: User | None, before: int | None = None, limit: int = PAGE) -> PeoplePage:
    """Whom `person` follows, the latest follow first."""
    edges = Follow.objects.filter(follower=person).select_related("followee")
    return people_page(_for_reader(edges, "followee", person, reader), "followee", reader, before, limit)


def requests_page(*, target: User, before: int | None = None, limit: int = PAGE) -> PeoplePage:
    """Who waits for `target`'s word, the latest first."""
    edges = FollowRequest.objects.filter(target=target, requester__is_active=True).select_related("requester")
    return people_page(edges, "requester", target, before, limit)


def sent_requests_page(*, requester: User, before: int | None = None, limit: int = PAGE) -> PeoplePage:
    """Whose word `requester` waits for, the latest first; suspended accounts too, so that each can be withdrawn."""
    edges = FollowRequest.objects.filter(requester=requester).select_related("target")
    return people_page(edges, "target", requester, before, limit, hide=False)


def blocked_page(*, reader: User, before: int | None = None, limit: int = PAGE) -> PeoplePage:
    """Whom the reader has blocked, the latest first."""
    edges = Block.objects.filter(blocker=reader).select_related("blocked")
    return people_page(edges, "blocked", reader, before, limit, hide=False)


def muted_page(*, reader: User, before: int | None = None, limit: int = PAGE) -> PeoplePage:
    """Whom the reader has muted, the latest first."""
    edges = Mute.objects.filter(muter=reader).select_related("muted")
    return people_page(edges, "muted", reader, before, limit, hide=False)


def request_count(*, target: User) -> int:
    """How many wait for `target`'s word, up to MOST_COUNTED."""
    return FollowRequest.objects.filter(target=target, requester__is_active=True)[:MOST_COUNTED].count()


def _for_reader(edges: QuerySet[Any], field: str, person: User, reader: User | None) -> QuerySet[Any]:
    """Those of `person`'s edges that `reader` may be shown: one's own all, as one can end each of them."""
    return edges if reader == person else edges.filter(**{f"{field}__is_active": True})


def people_page(
    edges: QuerySet[Any],
    field: str,
    reader: User | None,
    before: int | None,
    limit: int,
    *,
    by: str = "id",
    hide: bool = True,
) -> PeoplePage:
    """A page of the people at the end `field` of these edges, by the column `by`; two queries.

    `hide` leaves out those from whom a block keeps the reader.
    """
    limit = max(1, min(limit, LONGEST_PAGE))
    if hide:
        person = f"{edges.model._meta.db_table}.{field}_id"
        together = f"NOT {apart(reader.pk if reader else VISITOR, person)}"
        edges = edges.filter(RawSQL(together, [], output_field=BooleanField()))  # noqa: S611 (of our own texts)
    if before is not None:
        edges = edges.filter(**{f"{by}__lt": before})
    rows = list(edges.order_by(f"-{by}")[: limit + 1])
    people: list[User] = [getattr(row, field) for row in rows[:limit]]
    stand = relations(reader=reader, people=[person.pk for person in people])
    entries = [PersonEntry(person, stand[person.pk]) for person in people]
    return PeoplePage(entries, getattr(rows[limit - 1], by) if len(rows) > limit else None)
