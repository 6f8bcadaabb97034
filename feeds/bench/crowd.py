"""People in numbers, for the benches: made in seconds, by SQL alone, in a database that has nobody else."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.management.base import CommandError
from django.db import connection, transaction

from feeds import timelines
from feeds.bench.waiting import fetch
from feeds.timelines import Contents
from realtime.valkey import get_client
from recsys.accounts.models import User
from recsys.outbox.capture import capture_off

FIRST_POST = 20_000_000  # ids as a site has them that has been there for a while
COPIES_PER_CALL = 100
BYTES_EACH = 8_000  # a window of 400 posts with what Valkey needs around it, rounded up
LEAST_MEMORY = 512 * 1024 * 1024

_COPY = "for i = 2, #KEYS do redis.call('COPY', KEYS[1], KEYS[i], 'REPLACE') end"


def check_empty() -> None:
    """Refuse a database with people in it: what these benches make, they leave there."""
    if User.objects.exists():
        raise CommandError("This bench makes many accounts and leaves them: it needs an empty database.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('catalog_item', 'id'), %s)", [FIRST_POST])


def make_people(name: str, count: int) -> list[int]:
    """Create `count` accounts, alike but for their names, and return their ids."""
    template = User.objects.create(username=f"bench-{name}-0", password="!")  # noqa: S106 (nobody can log in by it)
    own = {"id", "username"}
    columns = ", ".join(f'"{field.column}"' for field in User._meta.concrete_fields if field.column not in own)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
                INSERT INTO accounts_user (username, {columns})
                SELECT %s || n, {columns} FROM accounts_user, generate_series(1, %s) n WHERE id = %s
            """,  # noqa: S608 (the model's columns)
            [f"bench-{name}-", count - 1, template.pk],
        )
    prefix = f"bench-{name}-%"
    return [pk for (pk,) in fetch("SELECT id FROM accounts_user WHERE username LIKE %s ORDER BY id", prefix)]


def let_follow(followers: Sequence[int], author: int) -> None:
    """Let all of them follow the author, as an import would: without a word to the outbox."""
    with transaction.atomic(), capture_off(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO feeds_follow (follower_id, followee_id) SELECT unnest(%s::bigint[]), %s",
            [list(followers), author],
        )


def make_posts(authors: Sequence[int]) -> list[int]:
    """Write a post by each of these authors, in this order and without a word to the outbox; return their ids.

    Their modes are not decided.
    """
    with transaction.atomic(), capture_off(), connection.cursor() as cursor:
        cursor.execute(
            """
                INSERT INTO catalog_item (kind, title, description, category, tags, regions, url, image_url, attributes,
                                          is_available, creator_id)
                SELECT 'post', 'A post', 'A post of the bench.', '', '{}', '{}', '', '', '{}', true, author
                FROM unnest(%s::bigint[]) WITH ORDINALITY AS a (author, place) ORDER BY place
                RETURNING id, creator_id
            """,
            [list(authors)],
        )
        rows = cursor.fetchall()
        cursor.execute(
            "INSERT INTO feeds_post (item_id, author_id, text)"
            " SELECT *, 'A post as long as posts are, which is not very long.' FROM unnest(%s::bigint[], %s::bigint[])",
            [[post for post, _ in rows], [author for _, author in rows]],
        )
    return [post for post, _ in rows]


def settle() -> None:
    """Let PostgreSQL know what there is now."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def warm_windows(readers: Sequence[int], posts: int) -> None:
    """Give each reader a warm home window of `posts` old posts: copies of one, which differ in nothing."""
    make_room(len(readers) * BYTES_EACH)
    names = [timelines.home(reader).name for reader in readers]
    first = timelines.home(readers[0])
    old = range(FIRST_POST - 1, FIRST_POST - 1 - posts, -1)
    timelines.fill_windows(timelines.open_windows([first]), {first: Contents("bench", old)})
    pipeline = get_client().pipeline(transaction=False)
    for start in range(1, len(names), COPIES_PER_CALL):
        part = [names[0], *names[start : start + COPIES_PER_CALL]]
        pipeline.eval(_COPY, len(part), *part)
    pipeline.execute()


def make_room(needed: int) -> None:
    """Let Valkey hold so many bytes, for else it would throw windows away while it is measured."""
    client = get_client()
    limit = int(client.info("memory")["maxmemory"])
    if 0 < limit < needed + LEAST_MEMORY:
        client.config_set("maxmemory", needed + LEAST_MEMORY)
