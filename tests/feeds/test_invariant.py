"""What a reader sees equals what SQL would compute, each post once, newest first, no gap, whatever happened before."""

from __future__ import annotations

import itertools

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feeds import audience, timelines
from feeds.actions import do_create_post, do_delete_post
from feeds.graph import do_follow, do_unfollow
from feeds.models import AuthorOverride, FanoutPolicy, Post
from feeds.policy import get_policy
from feeds.selectors import home_timeline, timeline_sql
from recsys.accounts.models import User
from recsys.outbox import store
from recsys.outbox.handlers import execute
from recsys.outbox.testing import drain

PEOPLE = 5
people = st.integers(0, PEOPLE - 1)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("post"), people),
        st.tuples(st.just("post"), people),
        st.tuples(st.just("delete"), st.integers(0, 30)),
        st.tuples(st.just("follow"), people, people),
        st.tuples(st.just("unfollow"), people, people),
        st.tuples(st.just("threshold"), st.integers(0, 4)),
        st.tuples(st.just("override"), people, st.sampled_from(["push", "pull", ""])),
        st.tuples(st.just("read"), people),
        st.tuples(st.just("lose memory")),
        st.tuples(st.just("handle some"), st.integers(1, 5)),
        st.tuples(st.just("handle twice")),
        st.tuples(st.just("deactivate"), people),
    ),
    max_size=40,
)


class World:
    def __init__(self, valkey):
        self.valkey = valkey
        self.people = [User.objects.create(username=f"p{n}") for n in range(PEOPLE)]

    def do(self, verb, *values):
        getattr(self, verb.replace(" ", "_"))(*values)

    def post(self, author):
        do_create_post(author=self.people[author], text="hello")

    def delete(self, nth):
        posts = list(Post.objects.order_by("pk"))
        if posts:
            post = posts[nth % len(posts)]
            do_delete_post(post=post, by=post.author)

    def follow(self, one, other):
        if one != other:
            do_follow(follower=self.people[one], followee=self.people[other])

    def unfollow(self, one, other):
        do_unfollow(follower=self.people[one], followee=self.people[other])

    def threshold(self, followers):
        get_policy()
        FanoutPolicy.objects.update(celebrity_threshold=followers, lower_bound=max(0, followers - 1))

    def override(self, author, mode):
        AuthorOverride.objects.filter(author=self.people[author]).delete()
        if mode:
            AuthorOverride.objects.create(author=self.people[author], mode=mode)

    def deactivate(self, person):
        user = self.people[person]
        user.is_active = not user.is_active
        user.save()

    def read(self, reader):
        home_timeline(reader=self.people[reader])

    def lose_memory(self):
        self.valkey.flushdb()

    def handle_some(self, count):
        for row in store.lease(count):
            execute(row.topic, [row])

    def handle_twice(self):
        rows = store.lease(10)
        for row in [*rows, *reversed(rows)]:
            execute(row.topic, [row])

    def pages(self, reader, limit):
        seen, before = [], None
        while True:
            page = home_timeline(reader=reader, before=before, limit=limit)
            seen.append([post.pk for post in page.posts])
            if page.next_before is None:
                return seen
            before = page.next_before


@pytest.mark.django_db(transaction=True)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    script=steps, limit=st.integers(1, 4), capacity=st.sampled_from([2, 5, 800]), chunk=st.sampled_from([1, 2, 1000])
)
def test_every_page_is_what_sql_says(valkey, monkeypatch, script, limit, capacity, chunk):
    monkeypatch.setattr(timelines, "CAPACITY", capacity)
    monkeypatch.setattr(audience, "CHUNK", chunk)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE accounts_user, catalog_item, outbox CASCADE")
    valkey.flushdb()
    world = World(valkey)
    for step in script:
        world.do(*step)
    drain()
    for reader in world.people:
        truth = list(timeline_sql(reader=reader).values_list("pk", flat=True))
        for _ in range(2):  # the first reading may fill windows, the second finds them warm
            pages = world.pages(reader, limit)
            assert list(itertools.chain(*pages)) == truth
            assert all(len(page) == limit for page in pages[:-1]), "a page is short although there is more"
