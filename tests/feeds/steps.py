"""Random steps of people who write, and of how they stand to one another: through the actions, or by raw SQL."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from feeds.actions import do_create_post, do_delete_post, do_edit_post, do_repost, do_undo_repost
from feeds.graph import (
    do_approve_request,
    do_block,
    do_change_privacy,
    do_follow,
    do_mute,
    do_unblock,
    do_unfollow,
    do_unmute,
)
from feeds.models import AccountList, Block, Follow, FollowRequest, ListMember, Mute, Post, Visibility
from feeds.visibility import UnseenPost
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.inputs import InputError
from tests.feeds.reference import Facts

PEOPLE = 4
PAIRS = list(itertools.permutations(range(PEOPLE), 2))
person = st.integers(0, PEOPLE - 1)
pair = st.sampled_from(PAIRS)
nth = st.integers(0, 50)  # of what there is, counted round and round
raw = st.booleans()  # whether the change is made behind the back of the actions
hours = st.sampled_from([0, 0, 13, 23, 25, 30])
visibility = st.sampled_from([Visibility.PUBLIC, *Visibility])


class PeopleSteps(RuleBasedStateMachine):
    """What people do. `people`, and a list of each of them, are there before the first step."""

    people: list[User]
    lists: list[AccountList]

    def __init__(self) -> None:
        super().__init__()
        self.saved_numbers: list[int] = []
        self.affected: list[int] = []  # who look at their timelines after this step

    def both(self, pair: tuple[int, int]) -> list[User]:
        """Two people, between whom something changes now."""
        self.affected += pair
        return [self.people[one] for one in pair]

    def pick(self, number: int, *, reposts: bool = True) -> Post | None:
        """One of the posts; None where there is none."""
        posts = Post.objects.select_related("author", "repost_of__author").order_by("pk")
        ids = list(posts.filter(**({} if reposts else {"repost_of": None})).values_list("pk", flat=True))
        return posts.get(pk=ids[number % len(ids)]) if ids else None

    @rule(authors=st.lists(person, min_size=1, max_size=4), visibility=visibility)
    def write(self, authors, visibility):
        for author in authors:
            do_create_post(author=self.people[author], text="hello #all", visibility=visibility)

    @rule(author=person, parent=nth, visibility=visibility)
    def reply(self, author, parent, visibility):
        author, parent = self.people[author], self.pick(parent)
        if parent is None:
            return
        if not Facts.now().may_see(author.pk, parent.pk):
            with pytest.raises(UnseenPost):
                do_create_post(author=author, text="hello", reply_to=parent)
            return
        reply = do_create_post(author=author, text="hello #all", visibility=visibility, reply_to=parent)
        assert reply.reply_to_author_id == (parent.repost_of or parent).author_id

    @rule(author=person, parent=st.none() | nth, visibility=visibility, hours=hours, number=st.none() | nth)
    def write_row(self, author, parent, visibility, hours, number):
        """A post that something else wrote, perhaps one that took its number long ago and commits only now."""
        author, parent = self.people[author], None if parent is None else self.pick(parent)
        if number is not None and self.saved_numbers:
            number = self.saved_numbers.pop(number % len(self.saved_numbers))
        else:
            number = None
            with connection.cursor() as cursor:
                cursor.execute("SELECT nextval(pg_get_serial_sequence('catalog_item', 'id'))")
                self.saved_numbers += cursor.fetchone()
        item = Item.objects.create(pk=number, kind="post", title="hello", creator=author)
        at = timezone.now() - timedelta(hours=hours)
        Post.objects.create(
            item=item, author=author, text="hello", visibility=visibility, reply_to=parent, created_at=at
        )

    @rule(user=person, post=nth)
    def repost(self, user, post):
        user, post = self.people[user], self.pick(post)
        if post is None:
            return
        if not Facts.now().may_see(user.pk, post.pk):
            with pytest.raises(UnseenPost):
                do_repost(user=user, post=post)
            return
        original = post.repost_of or post
        try:
            do_repost(user=user, post=post)
        except InputError:
            assert user == original.author or original.visibility != "public" or original.author.is_private

    @rule(user=person, post=nth, hours=hours)
    def repost_row(self, user, post, hours):
        """A repost that something else wrote, of anything that is none itself."""
        user, post = self.people[user], self.pick(post, reposts=False)
        if post and not Post.objects.filter(author=user, repost_of=post).exists():
            item = Item.objects.create(kind="post", creator=user)
            at = timezone.now() - timedelta(hours=hours)
            Post.objects.create(item=item, author=user, repost_of=post, created_at=at)

    @rule(user=person, post=nth)
    def undo_repost(self, user, post):
        user, post = self.people[user], self.pick(post)
        if post:
            do_undo_repost(user=user, post=post)
            assert not Post.objects.filter(author=user, repost_of=post.repost_of or post).exists()

    @rule(post=nth, text=st.sampled_from(["other words", "hello #all", "#all of it"]))
    def edit(self, post, text):
        if post := self.pick(post, reposts=False):
            do_edit_post(post=post, by=post.author, text=text)

    @rule(post=nth, visibility=visibility)
    def change_visibility(self, post, visibility):
        if post := self.pick(post, reposts=False):
            Post.objects.filter(pk=post.pk).update(visibility=visibility)

    @rule(post=nth, is_raw=raw)
    def delete(self, post, is_raw):
        if not (post := self.pick(post)):
            return
        if is_raw:
            execute("DELETE FROM feeds_post WHERE item_id = %s", post.pk)
        else:
            do_delete_post(post=post, by=post.author)
        assert not Item.objects.filter(pk=post.pk).exists()
        assert not Post.objects.filter(repost_of=post.pk).exists()

    @rule(pair=pair, is_raw=raw)
    def follow(self, pair, is_raw):
        one, other = self.both(pair)
        if is_raw:
            Follow.objects.bulk_create([Follow(follower=one, followee=other)], ignore_conflicts=True)
            return
        facts = Facts.now()
        apart = {(one.pk, other.pk), (other.pk, one.pk)} & facts.blocks
        if (one.pk, other.pk) not in facts.follows and (apart or other.pk not in facts.active):
            with pytest.raises(InputError):
                do_follow(follower=one, followee=other)
        else:
            do_follow(follower=one, followee=other)

    @rule(pair=pair, is_raw=raw)
    def unfollow(self, pair, is_raw):
        one, other = self.both(pair)
        if is_raw:
            execute("DELETE FROM feeds_follow WHERE follower_id = %s AND followee_id = %s", one.pk, other.pk)
        else:
            do_unfollow(follower=one, followee=other)

    @rule(pair=pair, is_raw=raw)
    def block(self, pair, is_raw):
        one, other = self.both(pair)
        if is_raw:
            fresh = not Block.objects.filter(blocker=one, blocked=other).exists()
            Block.objects.bulk_create([Block(blocker=one, blocked=other)], ignore_conflicts=True)
        else:
            fresh = do_block(blocker=one, blocked=other)
        if fresh:
            assert not {(one.pk, other.pk), (other.pk, one.pk)} & Facts.now().follows

    @rule(pair=pair, is_raw=raw)
    def unblock(self, pair, is_raw):
        one, other = self.both(pair)
        if is_raw:
            execute("DELETE FROM feeds_block WHERE blocker_id = %s AND blocked_id = %s", one.pk, other.pk)
        else:
            do_unblock(blocker=one, blocked=other)

    @rule(pair=pair, is_raw=raw)
    def mute(self, pair, is_raw):
        one, other = self.both(pair)
        if is_raw:
            Mute.objects.bulk_create([Mute(muter=one, muted=other)], ignore_conflicts=True)
        else:
            do_mute(muter=one, muted=other)

    @rule(pair=pair, is_raw=raw)
    def unmute(self, pair, is_raw):
        one, other = self.both(pair)
        if is_raw:
            execute("DELETE FROM feeds_mute WHERE muter_id = %s AND muted_id = %s", one.pk, other.pk)
        else:
            do_unmute(muter=one, muted=other)

    @rule(one=person, is_private=st.booleans(), is_raw=raw, approve=nth)
    def change_privacy(self, one, is_private, is_raw, approve):
        """And one of those who wait may be let in before."""
        one = self.people[one]
        waiting = list(FollowRequest.objects.filter(target=one).select_related("requester").order_by("pk"))
        if waiting and approve % 2:
            do_approve_request(target=one, requester=waiting[approve % len(waiting)].requester)
        if is_raw:
            User.objects.filter(pk=one.pk).update(is_private=is_private)
        else:
            do_change_privacy(user=one, is_private=is_private)

    @rule(one=person, is_active=st.booleans())
    def suspend(self, one, is_active):
        User.objects.filter(pk=self.people[one].pk).update(is_active=is_active)

    @rule(owner=person, member=person)
    def change_list(self, owner, member):
        found = ListMember.objects.filter(list=self.lists[owner], member=self.people[member])
        if not found.delete()[0]:
            ListMember.objects.create(list=self.lists[owner], member=self.people[member])


def execute(sql: str, *values: Any) -> None:
    """Change rows without any of our code, and without Django's."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
