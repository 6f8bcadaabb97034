"""Posts at the endpoints of items and events: they are items, but not the partner's to overwrite or to like unseen."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from feeds.actions import do_create_post, do_repost
from feeds.graph import do_block
from feeds.models import Like, Post
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events.models import Interaction
from tests.feeds.graph import let_follow
from tests.partners.assertions import assert_problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", external_id="ana")


@pytest.fixture
def ben() -> User:
    return User.objects.create_user("ben", external_id="ben")


def send(api: APIClient, *events: dict[str, Any]) -> Any:
    numbered = [{"event_id": str(number), "kind": "like", **event} for number, event in enumerate(events)]
    return api.post("/api/v1/events", {"events": numbered}, format="json")


class TestEvents:
    @pytest.mark.parametrize("kind", ["like", "view"])
    def test_about_what_a_user_may_not_see_are_refused_row_by_row(
        self, full_api: APIClient, ana: User, ben: User, kind: str
    ) -> None:
        cy, locked = User.objects.create_user("cy"), User.objects.create_user("locked", is_private=True)
        let_follow([ana], [cy])
        seen = do_create_post(author=ben, text="For all", external_id="post/1")
        unseen = [
            do_create_post(author=ben, text="Mine", visibility="private"),
            do_create_post(author=ben, text="Few", visibility="followers", external_id="post/2"),
            do_create_post(author=locked, text="Locked"),
        ]
        for_followers = do_create_post(author=cy, text="Few", visibility="followers")
        names = ["post/1", f"id:{unseen[0].pk}", "post/2", f"id:{unseen[2].pk}", f"id:{for_followers.pk}"]
        problem = assert_problem(send(full_api, *({"user": "ana", "item": name, "kind": kind} for name in names)), 422)
        assert [(error["index"], error["field"]) for error in problem["errors"]] == [(n, "item") for n in (1, 2, 3)]
        assert "that this user may see" in problem["errors"][0]["message"]
        assert not Interaction.objects.exists()
        assert not Like.objects.exists()
        fine = [
            {"user": "ana", "item": f"id:{seen.pk}"},
            {"user": "ana", "item": f"id:{for_followers.pk}"},
            {"user": "ben", "item": "post/2"},
        ]
        assert send(full_api, *fine).json() == {"accepted": 3, "duplicates": 0}
        assert Like.objects.count() == 3

    def test_nor_of_people_who_are_kept_apart_or_by_way_of_a_repost(
        self, full_api: APIClient, ana: User, ben: User
    ) -> None:
        post = do_create_post(author=ben, text="Hello")
        repost = do_repost(user=User.objects.create_user("cy"), post=post)
        first = {"user": "ana", "item": f"id:{post.pk}", "event_id": "sent before"}
        assert send(full_api, first).json()["accepted"] == 1
        do_block(blocker=ben, blocked=ana)
        for item in (post, repost):
            assert_problem(send(full_api, {"user": "ana", "item": f"id:{item.pk}"}), 422, "that this user may see")
        assert send(full_api, first).json() == {"accepted": 0, "duplicates": 1}, "sent again, it is no new event"

    def test_of_many_people_take_as_many_queries_as_of_one(self, full_api: APIClient, ana: User) -> None:
        people = User.objects.bulk_create(User(username=f"u{n}", external_id=f"u{n}") for n in range(30))
        post = do_create_post(author=ana, text="Hello")

        def queries(users: list[User]) -> int:
            events = [
                {"user": one.external_id, "item": f"id:{post.pk}", "event_id": f"{len(users)} {one}", "kind": "view"}
                for one in users
            ]
            with CaptureQueriesContext(connection) as captured:
                assert send(full_api, *events).status_code == 200
            return len(captured)

        queries(people[:1])
        assert queries(people[:2]) == queries(people)


class TestItems:
    def test_do_not_overwrite_posts(self, full_api: APIClient, ana: User) -> None:
        post = do_create_post(author=ana, text="My words", external_id="p/1")
        rows = [{"external_id": name, "title": "Buy this"} for name in ("new", "p/1", "newer")]
        problem = assert_problem(full_api.post("/api/v1/items", {"items": rows}, format="json"), 422, "name of a post")
        assert [(error["index"], error["field"]) for error in problem["errors"]] == [(1, "external_id")]
        item = Item.objects.get()
        assert (item.pk, item.title, item.kind, item.description) == (post.pk, "My words", "post", "My words")
        assert full_api.post("/api/v1/items", {"items": [rows[0]]}, format="json").json()["created"] == 1

    def test_nor_delete_them(self, full_api: APIClient, ana: User) -> None:
        do_create_post(author=ana, text="My words", external_id="p/1")
        assert_problem(full_api.delete("/api/v1/items/p%2F1"), 403, "author")
        assert Post.objects.exists()
