from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.outbox.models import OutboxRow
from tests.admin.conftest import allow

pytestmark = pytest.mark.django_db
LIST = "/admin/catalog/item/"


def form(**fields: Any) -> dict[str, Any]:
    published = {"published_at_0": "2026-01-31", "published_at_1": "12:00:00"}
    return {"title": "Heat", "kind": "film", "is_available": "on", "attributes": "{}", **published, **fields}


def test_an_item_is_added_by_the_rules_of_the_api(admin: Client):
    response = admin.post(
        LIST + "add/", form(tags="crime, crime,  noir", regions="gb,us-ca", attributes='{"year": 1995}')
    )
    assert response.status_code == 302, response.context["errors"]
    item = Item.objects.get()
    assert (item.tags, item.regions, item.external_id) == (["crime", "noir"], ["GB", "US-CA"], None)
    assert item.attributes == {"year": 1995}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"title": ""}, "required"),
        ({"title": "  "}, "required"),
        ({"regions": "Atlantis"}, "Unknown region"),
        ({"attributes": "[1]"}, "must be a JSON object"),
        ({"attributes": '{"a": 1e999}'}, "Enter a valid JSON"),
        ({"attributes": '{"a": "\\u0000"}'}, "Enter a valid JSON"),
        ({"attributes": '{"a": "' + "x" * 20_000 + '"}'}, "at most 10000"),
        ({"url": "ftp://example.org"}, "must be a complete address"),
        ({"tags": ",".join(f"t{n}" for n in range(60))}, "50"),
        ({"published_at_0": "31st of May"}, "Enter a valid date"),
        ({"creator": "x"}, "valid choice"),
    ],
)
def test_what_the_api_refuses_is_refused_here(admin: Client, fields: dict[str, str], message: str):
    response = admin.post(LIST + "add/", form(**fields))
    assert response.status_code == 200
    assert message in str(response.context["errors"])
    assert not Item.objects.exists()


def test_an_edit_is_captured_like_any_other(admin: Client):
    item = Item.objects.create(title="Haet", kind="film")
    OutboxRow.objects.all().delete()
    assert admin.post(f"{LIST}{item.pk}/change/", form()).status_code == 302
    (row,) = OutboxRow.objects.all()
    assert (row.aggregatetype, row.aggregateid, row.type) == ("catalog.item", str(item.pk), "update")


def test_availability_is_changed_for_many_at_once(admin: Client):
    first, second = (Item.objects.create(title=title) for title in ("Heat", "Ran"))
    data = {"action": "make_unavailable", "_selected_action": [first.pk, second.pk]}
    assert "2 changed to unavailable" in admin.post(LIST, data, follow=True).content.decode()
    assert not Item.objects.filter(is_available=True).exists()
    assert "0 changed" in admin.post(LIST, data, follow=True).content.decode()
    admin.post(LIST, {"action": "make_available", "_selected_action": [first.pk]})
    assert list(Item.objects.filter(is_available=True)) == [first]


def test_the_words_of_a_post_are_its_authors(admin: Client):
    item = Item.objects.create(title="Hello", kind="post")
    assert admin.post(f"{LIST}{item.pk}/change/", form(title="Other", is_available="")).status_code == 302
    item.refresh_from_db()
    assert (item.title, item.kind, item.is_available) == ("Hello", "post", False)


def test_who_may_only_look_changes_nothing(clerk_client: Client, clerk: User):
    item = Item.objects.create(title="Heat")
    allow(clerk, "catalog.view_item")
    clerk_client.post(LIST, {"action": "make_unavailable", "_selected_action": [item.pk]})
    assert clerk_client.post(f"{LIST}{item.pk}/change/", form(title="Other")).status_code == 403
    item.refresh_from_db()
    assert (item.title, item.is_available) == ("Heat", True)


def test_the_words_of_posts_for_few_are_for_staff_who_may_read_posts(clerk_client: Client, clerk: User):
    secret = Item.objects.create(title="For few", kind="post", is_withheld=True)
    Item.objects.create(title="For all", kind="post")
    allow(clerk, "catalog.view_item")
    page = clerk_client.get(LIST).content.decode()
    assert "For all" in page
    assert "For few" not in page
    assert "For few" not in clerk_client.get(f"{LIST}{secret.pk}/change/", follow=True).content.decode()
    allow(clerk, "feeds.view_post")
    assert "For few" in clerk_client.get(LIST).content.decode()
    assert "For few" in clerk_client.get(f"{LIST}{secret.pk}/change/").content.decode()


def test_deletion_takes_the_item(admin: Client):
    item = Item.objects.create(title="Heat")
    page = f"{LIST}{item.pk}/delete/"
    assert "Heat, with all interactions, counters and vectors of it" in admin.get(page).content.decode()
    admin.post(page, {"post": "yes"})
    assert not Item.objects.exists()


def test_the_history_tells_a_post_by_its_number(admin: Client):
    heat = Item.objects.create(title="Heat", kind="film")
    ben = User.objects.create_user("ben")
    posts = [Item.objects.create(title="Secret words", kind="post", creator=author) for author in (ben, None)]
    for item in (heat, posts[0]):
        assert admin.post(f"{LIST}{item.pk}/change/", form(is_available="")).status_code == 302
    admin.post(f"{LIST}{posts[0].pk}/delete/", {"post": "yes"})
    admin.post(LIST, {"action": "delete_selected", "_selected_action": [posts[1].pk, heat.pk], "post": "yes"})
    assert not Item.objects.exists()
    told = LogEntry.objects.order_by("pk").values_list("object_id", "object_repr")
    first, second = (post.pk for post in posts)
    of_ben = (str(first), f"post {first}, whose author is user {ben.pk}")
    assert list(told[:3]) == [(str(heat.pk), "Heat"), of_ben, of_ben]
    assert set(told[3:]) == {(str(heat.pk), "Heat"), (str(second), f"post {second}")}
