"""Who may see what: the one definition, as SQL that every read of posts puts into its query.

The texts name a post's row by an alias, and the reader by number or by an
expression: 0 stands for a visitor, whom nobody is. Numbers are written into the text (they are ours), so that the same
text serves raw queries and querysets.

    may_see      what somebody may look at when they come across it: by link, on a profile, under a hashtag
    in_home      what a home timeline shows, apart from reposts of what it shows already
    is_repeated  that a repost is left out, because the same stands in the timeline shortly before it
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL
from django.http import Http404

from feeds.models import Post
from recsys.accounts.models import User
from recsys.catalog.secrecy import Naming

Reader = int | str  # a user's id, or an expression for one
VISITOR = 0


class Knowing(str):
    """A reader in a query that begins with `heard_once(reader)`, where whom they hear is asked once.

    The rules then hold far fewer subqueries: planning those took longer than all else.
    """

    __slots__ = ()


REPOST_WINDOW = "24 hours"  # within which a timeline shows the same post once, however many people repost it


class UnseenPost(Http404):
    """There is no such post, or it is not for whoever asks: they are told the same."""

    def __init__(self) -> None:
        super().__init__("There is no such post, or it is not for you to see.")


def apart(reader: Reader, person: str) -> str:
    """One of the two has blocked the other; `person` is an expression for a user's id."""
    return (
        f"(EXISTS (SELECT FROM feeds_block WHERE blocker_id = {reader} AND blocked_id = {person})"
        f" OR EXISTS (SELECT FROM feeds_block WHERE blocked_id = {reader} AND blocker_id = {person}))"
    )


def follows(reader: Reader, person: str) -> str:
    """The reader follows them."""
    return f"EXISTS (SELECT FROM feeds_follow WHERE follower_id = {reader} AND followee_id = {person})"


def mutes(reader: Reader, person: str) -> str:
    """The reader does not want to read them."""
    return f"EXISTS (SELECT FROM feeds_mute WHERE muter_id = {reader} AND muted_id = {person})"


def unwanted(reader: Reader) -> str:
    """A query for the people with whom the reader does not want to meet, or who do not with them: muted, and apart."""
    return (
        f"SELECT blocked_id FROM feeds_block WHERE blocker_id = {reader}"
        f" UNION ALL SELECT blocker_id FROM feeds_block WHERE blocked_id = {reader}"
        f" UNION ALL SELECT muted_id FROM feeds_mute WHERE muter_id = {reader}"
    )


def hears(reader: Reader, person: str) -> str:
    """What they write is for the reader's home timeline: they are followed, active, and neither muted nor blocked.

    People hear themselves.
    """
    if isinstance(reader, Knowing):
        return f"{person} IN (SELECT person FROM heard)"
    return f"({person} = {reader} OR ({follows(reader, person)} AND {_audible(reader, person)}))"


def heard_once(reader: Knowing) -> str:
    """The WITH part, named `heard`, that `hears` of a knowing reader needs: everybody whom the reader hears."""
    return (
        f"heard AS MATERIALIZED (SELECT f.followee_id AS person FROM feeds_follow f WHERE f.follower_id = {reader}"
        f" AND {_audible(reader, 'f.followee_id')} UNION ALL SELECT {reader})"
    )


def _audible(reader: Reader, person: str) -> str:
    return (
        f"NOT {mutes(reader, person)} AND NOT {apart(reader, person)}"
        f" AND EXISTS (SELECT FROM accounts_user WHERE id = {person} AND is_active)"
    )


def may_see(reader: Reader, post: str) -> str:
    """The reader may look at the post with this alias. A repost is seen where what it shows may be seen as well."""
    return (
        f"({may_see_row(reader, post)} AND ({post}.repost_of_id IS NULL OR EXISTS (SELECT FROM feeds_post shown"
        f" WHERE shown.item_id = {post}.repost_of_id AND {may_see_row(reader, 'shown')})))"
    )


def may_see_row(reader: Reader, post: str) -> str:
    """`may_see` without regard to what a repost shows."""
    author = f"{post}.author_id"
    return (
        f"({author} = {reader} OR ({post}.visibility <> 'private' AND EXISTS (SELECT FROM accounts_user writer"
        f" WHERE writer.id = {author} AND writer.is_active AND NOT {apart(reader, author)}"
        f" AND (({post}.visibility = 'public' AND NOT writer.is_private) OR {follows(reader, author)}))))"
    )


def in_home(reader: Reader, post: str) -> str:
    """The post belongs into the reader's home timeline; for a repost, unless `is_repeated`."""
    return f"({hears(reader, f'{post}.author_id')} AND {of_heard(reader, post)})"


def of_heard(reader: Reader, post: str) -> str:
    """`in_home` for a post of somebody who is known to be heard: its own visibility, replies and reposts remain.

    A reply is for those who hear both sides. One's own posts always show.
    """
    return (
        f"(({post}.author_id = {reader} OR ({post}.visibility <> 'private' AND {answers_heard(reader, post)}))"
        f" AND ({post}.repost_of_id IS NULL OR EXISTS (SELECT FROM feeds_post shown"
        f" WHERE shown.item_id = {post}.repost_of_id AND shown.visibility = 'public'"
        f" AND NOT {mutes(reader, 'shown.author_id')} AND {may_see_row(reader, 'shown')})))"
    )


def answers_heard(reader: Reader, post: str) -> str:
    """The reader hears whom the post answers, if it answers anybody else."""
    answered = f"{post}.reply_to_author_id"
    return f"({answered} IS NULL OR {answered} = {post}.author_id OR {hears(reader, answered)})"


def is_repeated(reader: Reader, post: str) -> str:
    """The post with this alias, which is `in_home`, is a repost of what the reader's timeline shows shortly before.

    "Before" is by id, as the timeline's order is; so what comes later never moves what is there.
    """
    return (
        f"({post}.repost_of_id IS NOT NULL AND (EXISTS (SELECT FROM feeds_post original"
        f" WHERE {was_original(reader, post, 'original')})"
        f" OR EXISTS (SELECT FROM feeds_post earlier WHERE {was_reposted(reader, post, 'earlier')})))"
    )


def was_original(reader: Reader, post: str, original: str) -> str:
    """The one is what the other, a repost, shows, and stood in the reader's timeline itself shortly before."""
    return (
        f"{original}.item_id = {post}.repost_of_id AND {_shortly_before(post, original)}"
        f" AND ({original}.author_id = {reader}"
        f" OR ({hears(reader, f'{original}.author_id')} AND {answers_heard(reader, original)}))"
    )


def was_reposted(reader: Reader, post: str, earlier: str) -> str:
    """The one is an earlier repost of what the other shows, by somebody whom the reader hears."""
    return (
        f"{earlier}.repost_of_id = {post}.repost_of_id AND {_shortly_before(post, earlier)}"
        f" AND {hears(reader, f'{earlier}.author_id')}"
    )


def _shortly_before(post: str, earlier: str) -> str:
    return (
        f"{earlier}.item_id < {post}.item_id AND {earlier}.created_at >= {post}.created_at - interval '{REPOST_WINDOW}'"
    )


def home_rule(reader: Reader, post: str) -> str:
    """All of it: the post with this alias is an entry of the reader's home timeline."""
    return f"({in_home(reader, post)} AND NOT {is_repeated(reader, post)})"


def listed(account_list: int, person: str) -> str:
    """They are a member of the list."""
    return f"EXISTS (SELECT FROM feeds_listmember WHERE list_id = {account_list} AND member_id = {person})"


def of_listed(reader: Reader, account_list: int, post: str) -> str:
    """The post of a member of the reader's list is an entry of the list's timeline; for a repost, unless
    `is_listed_again`.

    As at home, with the list's members in place of those whom the reader follows.
    """
    answered = f"{post}.reply_to_author_id"
    return (
        f"({may_see(reader, post)} AND ({answered} IS NULL OR {answered} IN ({post}.author_id, {reader})"
        f" OR {listed(account_list, answered)}) AND ({post}.repost_of_id IS NULL OR NOT EXISTS ("
        f"SELECT FROM feeds_post original WHERE original.item_id = {post}.repost_of_id"
        f" AND {mutes(reader, 'original.author_id')})))"
    )


def is_listed_again(reader: Reader, account_list: int, post: str) -> str:
    """The post is a repost of something that the list's timeline shows shortly before; by id, as `is_repeated`."""
    return (
        f"({post}.repost_of_id IS NOT NULL AND EXISTS (SELECT FROM feeds_post earlier"
        f" WHERE (earlier.item_id = {post}.repost_of_id OR earlier.repost_of_id = {post}.repost_of_id)"
        f" AND earlier.item_id < {post}.item_id"
        f" AND earlier.created_at >= {post}.created_at - interval '{REPOST_WINDOW}'"
        f" AND {listed(account_list, 'earlier.author_id')} AND NOT {mutes(reader, 'earlier.author_id')}"
        f" AND {of_listed(reader, account_list, 'earlier')}))"
    )


def where(posts: QuerySet[Post], condition: str) -> QuerySet[Post]:
    """The posts for which one of the conditions above, made for the alias "feeds_post", holds."""
    return posts.filter(RawSQL(condition, [], output_field=BooleanField()))  # noqa: S611 (of our own texts)


def visible_posts(reader: User | None) -> QuerySet[Post]:
    """The posts that somebody may look at, None being a visitor."""
    return where(Post.objects.all(), may_see(reader.pk if reader else VISITOR, "feeds_post"))


_UNSEEN = f"""
    SELECT DISTINCT named.reader, named.post FROM unnest(%s::bigint[], %s::bigint[]) AS named (reader, post)
    JOIN feeds_post p ON p.item_id = named.post WHERE NOT {may_see("named.reader", "p")}
"""


def unseen_posts(named: Collection[Naming]) -> frozenset[Naming]:
    """Those of the pairs of a reader, None being a visitor, and an item that is a post which they may not look at."""
    with connection.cursor() as cursor:
        cursor.execute(_UNSEEN, [[reader or VISITOR for reader, _ in named], [post for _, post in named]])
        return frozenset((reader or None, post) for reader, post in cursor.fetchall())


def may_be_seen(reader: User | None, post: int) -> bool:
    """`may_see` of one post."""
    return visible_posts(reader).filter(pk=post).exists()
