"""What a page shows of each post: the words, who reposted it, what was said to it, and what the reader did with it.

Every page of posts makes its entries here, with a number of queries that does not depend on what it holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import Q
from django.utils.safestring import SafeString

from feeds.models import Post
from feeds.stream_events import version_of
from feeds.texts import named, names_in, render
from feeds.visibility import VISITOR, hears, may_see
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.prepared import read_prepared

SHOWN_REPOSTERS = 3
COUNTED_REPOSTS = 200  # of each post, the newest: those further back are not looked at for people whom the reader hears


@dataclass(frozen=True, slots=True)
class Answered:
    """What a reply answers. `person` is None where it is gone, or not for the reader: they are told the same."""

    post: int | None = None
    person: User | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """`post` as a page shows it. `shown` is the post whose words stand there: another one where `post` is a repost.

    `reposters` are some of those who reposted `shown` and whom the reader hears, the newest first; `more_reposters` are
    further ones. They are there for the original too, since a timeline leaves out what repeats it. All else is about
    `shown`.
    """

    post: Post
    shown: Post
    words: SafeString
    like_count: int = 0
    repost_count: int = 0
    reply_count: int = 0
    is_liked: bool = False
    is_reposted: bool = False
    is_bookmarked: bool = False
    reposters: list[User] = field(default_factory=list)
    more_reposters: int = 0
    answers: Answered | None = None

    @property
    def is_repost(self) -> bool:
        return self.post.pk != self.shown.pk

    @property
    def version(self) -> str:
        """What tells the words shown from others (see stream_events.py)."""
        return version_of(self.shown)

    @property
    def may_be_reposted(self) -> bool:
        """As far as the post itself decides; nobody reposts their own."""
        return self.shown.visibility == "public" and not self.shown.author.is_private

    @property
    def attached(self) -> Item | None:
        """What it is about, while that may be shown to everybody."""
        item = self.shown.attached
        return None if item is None or item.is_withheld else item


@dataclass(frozen=True, slots=True)
class _State:
    """What the tables know of a shown post and of the reader's dealings with it."""

    like_count: int
    repost_count: int
    reply_count: int
    is_liked: bool
    is_reposted: bool
    is_bookmarked: bool
    sees_parent: bool


@dataclass(frozen=True, slots=True)
class _Reposts:
    people: list[int]
    more: int


_ME = "%(reader)s::bigint"
_STATES = f"""
    SELECT p.item_id, coalesce(s.like_count, 0), coalesce(s.repost_count, 0), coalesce(s.reply_count, 0),
           EXISTS (SELECT FROM feeds_like WHERE user_id = {_ME} AND post_id = p.item_id),
           EXISTS (SELECT FROM feeds_post r WHERE r.author_id = {_ME} AND r.repost_of_id = p.item_id),
           EXISTS (SELECT FROM feeds_bookmark WHERE user_id = {_ME} AND post_id = p.item_id),
           EXISTS (SELECT FROM feeds_post parent WHERE parent.item_id = p.reply_to_id AND {may_see(_ME, "parent")})
    FROM feeds_post p LEFT JOIN feeds_poststats s ON s.post_id = p.item_id
    WHERE p.item_id = ANY(%(posts)s::bigint[])
"""  # noqa: S608 (of our own texts)
_REPOSTERS = f"""
    SELECT shown.post, count(*), (array_agg(r.author_id ORDER BY r.item_id DESC))[:{SHOWN_REPOSTERS}]
    FROM unnest(%(posts)s::bigint[]) AS shown (post) CROSS JOIN LATERAL (
        SELECT author_id, item_id FROM feeds_post WHERE repost_of_id = shown.post
        ORDER BY item_id DESC LIMIT {COUNTED_REPOSTS}
    ) r WHERE {hears(_ME, "r.author_id")} GROUP BY 1
"""  # noqa: S608 (of our own texts)


def shown_by(posts: Sequence[Post]) -> list[int]:
    """The posts whose words and counters the entries of these show, each once."""
    return list(dict.fromkeys(post.repost_of_id or post.pk for post in posts))


def post_counts(posts: Collection[int]) -> dict[int, dict[str, int]]:
    """The counter of what was done with posts (see catalog/counts.py); who is no post is left out. One query."""
    counted = Post.objects.filter(pk__in=posts).values_list(
        "pk", "stats__like_count", "stats__repost_count", "stats__reply_count"
    )
    return {
        post: {"likes": likes or 0, "reposts": reposts or 0, "replies": replies or 0}
        for post, likes, reposts, replies in counted
    }


def entries(reader: User | None, posts: Sequence[Post]) -> list[Entry]:
    """An entry for each of the posts, which come as the selectors load them (see `loading`), in their order.

    Three queries at most, however many posts there are and whatever they hold.
    """
    if not posts:
        return []
    shown = [post.repost_of or post for post in posts]
    viewer = reader.pk if reader else VISITOR
    states = _states(viewer, {post.pk for post in shown})
    reposts = _reposts(viewer, posts, states)
    people = _people(shown, states, reposts)
    by_name, by_id = {user.username: user for user in people}, {user.pk: user for user in people}
    return [
        _entry(post, original, states.get(original.pk), reposts.get(post.pk), by_name, by_id)
        for post, original in zip(posts, shown, strict=True)
    ]


def _states(reader: int, posts: set[int]) -> dict[int, _State]:
    rows = read_prepared(_STATES, {"reader": reader, "posts": sorted(posts)})
    return {post: _State(*state) for post, *state in rows}


def _reposts(reader: int, posts: Sequence[Post], states: Mapping[int, _State]) -> dict[int, _Reposts]:
    """For each of the posts, who reposted what it shows; a repost's own author is always among them.

    Posts that nobody reposted are not asked about, and a visitor hears nobody.
    """
    asked = {post.repost_of_id or post.pk for post in posts} if reader != VISITOR else set()
    asked = {post for post in asked if post in states and states[post].repost_count}
    rows = read_prepared(_REPOSTERS, {"reader": reader, "posts": sorted(asked)}) if asked else []
    heard = {original: (count, people) for original, count, people in rows}
    found = {}
    for post in posts:
        count, people = heard.get(post.repost_of_id or post.pk, (0, []))
        if post.repost_of_id and post.author_id not in people:
            count, people = max(count, len(people) + 1), [*people[: SHOWN_REPOSTERS - 1], post.author_id]
        if people:
            found[post.pk] = _Reposts(people, count - len(people))
    return found


def _people(shown: Sequence[Post], states: Mapping[int, _State], reposts: Mapping[int, _Reposts]) -> list[User]:
    """Everybody whom these posts name: mentioned in their words, answered, or reposting them. One query at most."""
    names = {name for post in shown for name in names_in(post.text)}
    ids = {one for repost in reposts.values() for one in repost.people}
    answered = (post.reply_to_author_id for post in shown if post.pk in states and states[post.pk].sees_parent)
    ids |= {one for one in answered if one is not None}
    return list(User.objects.filter(named(names) | Q(pk__in=ids))) if names or ids else []


def _entry(
    post: Post,
    shown: Post,
    state: _State | None,
    reposts: _Reposts | None,
    by_name: Mapping[str, User],
    by_id: Mapping[int, User],
) -> Entry:
    people = [by_id[one] for one in reposts.people if one in by_id] if reposts else []
    return Entry(
        post=post,
        shown=shown,
        words=render(shown.text, by_name),
        like_count=state.like_count if state else 0,
        repost_count=state.repost_count if state else 0,
        reply_count=state.reply_count if state else 0,
        is_liked=bool(state and state.is_liked),
        is_reposted=bool(state and state.is_reposted),
        is_bookmarked=bool(state and state.is_bookmarked),
        reposters=people,
        more_reposters=reposts.more if reposts else 0,
        answers=_answered(shown, state, by_id),
    )


def _answered(shown: Post, state: _State | None, by_id: Mapping[int, User]) -> Answered | None:
    if shown.reply_to_author_id is None:
        return None
    person = by_id.get(shown.reply_to_author_id) if state and state.sees_parent else None
    return Answered(shown.reply_to_id, person) if person else Answered()
