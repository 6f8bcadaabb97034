"""What timelines hold, said a second time: in plain Python over the bare rows, from the words of docs/feeds.md.

Nothing here knows `feeds/visibility.py`, so that a mistake there is a difference, and not the same mistake twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Row:
    """A post as it lies in the table. Its number is its place in every timeline."""

    id: int
    author: int
    text: str
    visibility: str
    answered: int | None  # whom it answers
    original: int | None  # the post that it shows, being a repost
    at: datetime


@dataclass(frozen=True)
class Facts:
    """The bare rows, read at one moment. A visitor is the reader None."""

    posts: dict[int, Row]
    follows: set[tuple[int, int]]
    blocks: set[tuple[int, int]]
    mutes: set[tuple[int, int]]
    active: set[int]
    private: set[int]
    members: set[tuple[int, int]]

    @classmethod
    def now(cls) -> Facts:
        posts = _rows(
            "SELECT item_id, author_id, text, visibility, reply_to_author_id, repost_of_id, created_at FROM feeds_post"
        )
        return cls(
            posts={row[0]: Row(*row) for row in posts},
            follows=set(_rows("SELECT follower_id, followee_id FROM feeds_follow")),
            blocks=set(_rows("SELECT blocker_id, blocked_id FROM feeds_block")),
            mutes=set(_rows("SELECT muter_id, muted_id FROM feeds_mute")),
            active={user for (user,) in _rows("SELECT id FROM accounts_user WHERE is_active")},
            private={user for (user,) in _rows("SELECT id FROM accounts_user WHERE is_private")},
            members=set(_rows("SELECT list_id, member_id FROM feeds_listmember")),
        )

    def home(self, reader: int) -> list[int]:
        """The reader's home timeline, newest first."""
        entries = [post for post in self.posts.values() if self._belongs_home(reader, post)]
        return _newest_first(post for post in entries if not _shows_already(post, entries))

    def by_author(self, author: int, reader: int | None, *, replies: bool = True) -> list[int]:
        """The author's posts that the reader may see, with or without replies to other people."""
        written = [post for post in self.posts.values() if post.author == author and self.may_see(reader, post.id)]
        return _newest_first(post for post in written if replies or post.answered in (None, author))

    def of_list(self, number: int, owner: int) -> list[int]:
        """What the members of the owner's list wrote, without the muted; replies among them and to the owner."""
        entries = [post for post in self.posts.values() if self._belongs_in_list(number, owner, post)]
        return _newest_first(post for post in entries if not _shows_already(post, entries))

    def tagged(self, posts: Iterable[int], reader: int) -> list[int]:
        """Those of the posts with a hashtag that the reader is shown under it."""
        heard = [self.posts[post] for post in posts if (reader, self.posts[post].author) not in self.mutes]
        return _newest_first(post for post in heard if self.may_see(reader, post.id))

    def may_see(self, reader: int | None, number: int) -> bool:
        """The reader may look at this post when they come across it; at a repost, if at what it shows as well."""
        post = self.posts.get(number)
        if post is None or not self._may_see_itself(reader, post):
            return False
        return post.original is None or self._may_see_itself(reader, self.posts[post.original])

    def _may_see_itself(self, reader: int | None, post: Row) -> bool:
        if reader == post.author:
            return True
        if post.visibility == "private" or post.author not in self.active or self._apart(reader, post.author):
            return False
        for_all = post.visibility == "public" and post.author not in self.private
        return for_all or (reader, post.author) in self.follows

    def _apart(self, one: int | None, other: int) -> bool:
        return (one, other) in self.blocks or (other, one) in self.blocks

    def _hears(self, reader: int, person: int) -> bool:
        """Oneself, and those whom one follows who are active, not muted and not blocked, one way or the other."""
        if person == reader:
            return True
        followed = (reader, person) in self.follows and person in self.active
        return followed and (reader, person) not in self.mutes and not self._apart(reader, person)

    def _belongs_home(self, reader: int, post: Row) -> bool:
        """It does, but for reposts of what is there already."""
        if not self._hears(reader, post.author):
            return False
        if post.author != reader:
            if post.visibility == "private":
                return False
            if post.answered not in (None, post.author) and not self._hears(reader, post.answered):
                return False
        if post.original is None:
            return True
        shown = self.posts[post.original]
        for_all = shown.visibility == "public" and (reader, shown.author) not in self.mutes
        return for_all and self._may_see_itself(reader, shown)

    def _belongs_in_list(self, number: int, owner: int, post: Row) -> bool:
        if (number, post.author) not in self.members or (owner, post.author) in self.mutes:
            return False
        if post.answered not in (None, post.author, owner) and (number, post.answered) not in self.members:
            return False
        if post.original is not None and (owner, self.posts[post.original].author) in self.mutes:
            return False
        return self.may_see(owner, post.id)


def _shows_already(post: Row, entries: list[Row]) -> bool:
    """It is a repost, and less than a day before it the same was written or reposted among these entries."""
    return post.original is not None and any(
        post.original in (earlier.id, earlier.original) and earlier.id < post.id and earlier.at >= post.at - DAY
        for earlier in entries
    )


def _newest_first(posts: Iterable[Row]) -> list[int]:
    return sorted((post.id for post in posts), reverse=True)


def _rows(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()
