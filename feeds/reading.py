"""Up to where somebody has read their home timeline, and what is new since their last visit; when they read it at all.

A *visit* is what moves the mark. Reading is more: it is also asking over the API, or for the ranked view alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from feeds.models import ReadingPosition
from feeds.selectors import LONGEST_PAGE, TimelinePage, home_timeline
from recsys.accounts.models import User

PAUSE = "30 minutes"  # without a first page, after which another visit begins
WRITTEN = "1 minute"  # visits are noted at most so often while nothing newer is there to see
READ = "10 minutes"  # and reading that is no visit

# The first visit of all has seen nothing before, and nothing is "new since". What is there already is read first, so
# that a page that changes nothing writes nothing and takes no lock.
_NOTE = f"""
    WITH known AS (SELECT * FROM feeds_readingposition WHERE reader_id = %(reader)s),
    noted AS (
        INSERT INTO feeds_readingposition AS before (reader_id, newest_seen, unread_after, visited_at, read_at)
        SELECT %(reader)s, %(newest)s, %(newest)s, now(), now()
        WHERE NOT EXISTS (
            SELECT FROM known WHERE newest_seen >= %(newest)s AND visited_at > now() - interval '{WRITTEN}')
        ON CONFLICT (reader_id) DO UPDATE SET
            unread_after = CASE WHEN before.visited_at IS NULL THEN excluded.unread_after
                                WHEN before.visited_at < now() - interval '{PAUSE}' THEN before.newest_seen
                                ELSE before.unread_after END,
            newest_seen = greatest(before.newest_seen, excluded.newest_seen),
            visited_at = now(), read_at = now()
        RETURNING unread_after
    )
    SELECT coalesce((SELECT unread_after FROM noted), (SELECT unread_after FROM known))
"""  # noqa: S608
_SET = """
    INSERT INTO feeds_readingposition (reader_id, newest_seen, unread_after, visited_at, read_at)
    SELECT %(reader)s, seen, seen, now(), now()
    FROM (SELECT least(%(seen)s, coalesce(max(item_id), 0)) AS seen FROM feeds_post) up_to
    ON CONFLICT (reader_id) DO UPDATE SET newest_seen = excluded.newest_seen, unread_after = excluded.unread_after,
        visited_at = now(), read_at = now()
"""
_READ = f"""
    INSERT INTO feeds_readingposition (reader_id, read_at) SELECT %(reader)s, now()
    WHERE NOT EXISTS (
        SELECT FROM feeds_readingposition WHERE reader_id = %(reader)s AND read_at > now() - interval '{READ}')
    ON CONFLICT (reader_id) DO UPDATE SET read_at = now()
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class UnreadMark:
    """Where a page says "new since your last visit". One's own posts are never new.

    `before` is the first post below the mark, None where the mark is not on this page. `count` posts of the page are
    new; `more` says that older pages hold further ones.
    """

    before: int | None = None
    count: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """A reader's position, and how many posts of others are above it; `more` says that `unread` is a lower bound."""

    newest_seen: int
    unread_after: int
    unread: int
    more: bool


def do_note_visit(*, reader: User, newest: int) -> int:
    """Note that a first page was shown, whose newest post is `newest` (0: empty); return what `unread_after` is now.

    One statement. After a PAUSE another visit begins: what is above the newest post seen until then is unread.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, {"reader": reader.pk, "newest": newest})
        return int(cursor.fetchone()[0])


def do_note_reading(*, reader: User) -> None:
    """Note that the reader's timeline was read, whichever way; the unread mark stays where it is.

    One statement, which writes at most once in READ.
    """
    with connection.cursor() as cursor:
        cursor.execute(_READ, {"reader": reader.pk})


def do_set_position(*, reader: User, seen: int) -> None:
    """Let everything up to the post `seen` count as read, and what is above as unread, whatever was so before.

    A number above the newest post's counts as that one: what is yet to come cannot have been seen. It is no error,
    since the newest post may have been deleted after it was seen.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SET, {"reader": reader.pk, "seen": seen})


def unread_after(reader: User) -> int:
    """The newest post that is not unread; 0 for who has never visited."""
    found = ReadingPosition.objects.filter(reader=reader).values_list("unread_after", flat=True).first()
    return found or 0


def position_of(reader: User) -> Position:
    """The reader's position. The unread are counted up to a page of the longest kind."""
    known = ReadingPosition.objects.filter(reader=reader).first() or ReadingPosition(reader=reader)
    page = home_timeline(reader=reader, limit=LONGEST_PAGE)
    above = [post for post in page.posts if post.pk > known.unread_after]
    more = len(above) == len(page.posts) and page.next_before is not None
    return Position(known.newest_seen, known.unread_after, sum(post.author_id != reader.pk for post in above), more)


def do_mark_unread(*, reader: User, page: TimelinePage, before: int | None) -> UnreadMark:
    """The mark on a page of the home timeline that was asked for with the cursor `before`. A first page is a visit."""
    if before is None:
        after = do_note_visit(reader=reader, newest=page.posts[0].pk if page.posts else 0)
    else:
        after = unread_after(reader)
    return _mark(reader, page, before, after) if after else UnreadMark()


def _mark(reader: User, page: TimelinePage, before: int | None, after: int) -> UnreadMark:
    new = [post for post in page.posts if post.pk > after and post.author_id != reader.pk]
    below = next((post.pk for post in page.posts if post.pk <= after), None)
    # The page before this one may have ended just above the mark.
    continued = before is not None and before > after
    more = below is None and page.next_before is not None
    return UnreadMark(below if new or continued else None, len(new), more)
