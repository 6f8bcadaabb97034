from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events.actions import EventInput, do_record_events
from tests.admin.conftest import allow

pytestmark = pytest.mark.django_db
PAGE = "/admin/events/interactions/"


@pytest.fixture
def people() -> list[User]:
    return User.objects.bulk_create([User(username="ana"), User(username="ben")])


@pytest.fixture
def many(people: list[User]) -> list[Item]:
    """250 clicks by two users on two items, two of them at any one moment."""
    items = [Item.objects.create(title="Heat"), Item.objects.create(title="Ran")]
    start = timezone.now() - timedelta(hours=1)
    do_record_events(
        events=[
            EventInput(
                event_id=str(n),
                user_id=people[n % 2].pk,
                item_id=items[n // 2 % 2].pk,
                kind="click",
                value=None,
                occurred_at=start + timedelta(seconds=n // 2),
                region="GB",
                recommendation_id=None,
            )
            for n in range(250)
        ],
        scope="client:1",
    )
    return items


def test_it_is_walked_page_by_page_without_a_gap(admin: Client, many: list[Item], django_assert_max_num_queries):
    seen, query = [], ""
    while True:
        with django_assert_max_num_queries(4):
            response = admin.get(f"{PAGE}?{query}")
        seen += [(row.occurred_at, row.id) for row in response.context["rows"]]
        query = response.context["older"]
        if not query:
            break
    assert len(seen) == len(set(seen)) == 250
    assert seen == sorted(seen, reverse=True)


def test_it_is_filtered_by_user_item_and_kind(admin: Client, many: list[Item], people: list[User]):
    def count(query: str) -> int:
        return len(admin.get(f"{PAGE}?{query}").context["rows"])

    assert count(f"user={people[0].pk}&item={many[0].pk}") == 63
    assert count("kind=like") == 0
    assert count("user=999999") == 0


@pytest.mark.parametrize(
    "query",
    [
        *("user=x", "user=-1", "user=%00", f"item={2**63}", "kind=nonsense"),
        *("before=x", "before=2026-01-01", "before=9999-99-99T00:00:00Z,1", "before=%00,1"),
        "before=2026-01-01T00:00:00%2B00:00," + "9" * 400,
    ],
)
def test_nonsense_in_the_address_is_named(admin: Client, many: list[Item], query: str):
    response = admin.get(f"{PAGE}?{query}")
    assert response.status_code == 200
    assert response.context["form"].errors
    assert not response.context["rows"]


def test_the_ends_of_time_are_no_error(admin: Client, many: list[Item]):
    for at in ("0001-01-01T00:00:00%2B00:00", "9999-12-31T23:59:59.999999%2B00:00", "0001-01-01T00:00:00%2B14:00"):
        assert admin.get(f"{PAGE}?before={at},1").status_code == 200


def test_only_who_may_view_interactions_does(clerk_client: Client, clerk: User):
    assert clerk_client.get(PAGE).status_code == 403
    allow(clerk, "events.view_interaction")
    assert clerk_client.get(PAGE).status_code == 200
    assert clerk_client.post(PAGE).status_code == 405


def test_what_is_not_for_everybody_goes_without_its_words(clerk_client: Client, clerk: User, many: list[Item]):
    Item.objects.filter(pk=many[0].pk).update(is_withheld=True)
    allow(clerk, "events.view_interaction")
    page = clerk_client.get(PAGE).content.decode()
    assert f"Item {many[0].pk}" in page
    assert ("Heat" in page, "Ran" in page) == (False, True)
    allow(clerk, "feeds.view_post")
    assert "Heat" in clerk_client.get(PAGE).content.decode()
