from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from django.test import Client

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.recommend.models import ModelVersion
from tests.admin.conftest import allow

pytestmark = pytest.mark.django_db
MODELS = "/admin/recommend/modelversion/"


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    url = settings.CELERY_BROKER_URL.replace("redis+socket", "unix").replace("virtual_host", "db")
    with redis.Redis.from_url(url) as client:
        yield client


def tasks(broker: redis.Redis) -> list[str]:
    return [json.loads(message)["headers"]["task"] for message in broker.lrange("celery", 0, -1)]


def test_train_now_asks_a_worker(admin: Client, broker: redis.Redis):
    assert "Train now" in admin.get(MODELS).content.decode()
    response = admin.post(MODELS + "train/", follow=True)
    assert "A worker was asked to train" in response.content.decode()
    assert tasks(broker) == ["recommend.train_models"]


def test_looking_at_the_address_trains_nothing(admin: Client, broker: redis.Redis):
    admin.get(MODELS + "train/")
    assert tasks(broker) == []


def test_who_may_only_look_trains_nothing(clerk_client: Client, clerk: User, broker: redis.Redis):
    allow(clerk, "recommend.view_modelversion")
    assert "Train now" not in clerk_client.get(MODELS).content.decode()
    assert clerk_client.post(MODELS + "train/").status_code == 403
    assert tasks(broker) == []


def test_the_list_never_loads_artefacts(admin: Client, django_assert_max_num_queries):
    for _ in range(20):
        ModelVersion.objects.create(kind="cf", artefact=b"x" * 5000, metrics={"recall@20": 0.25, "refused": "worse"})
    with django_assert_max_num_queries(7) as captured:
        page = admin.get(MODELS).content.decode()
    assert "4.9 KB" in page or "4.9\xa0KB" in page
    assert "worse" in page
    assert not [one["sql"] for one in captured if '"recommend_modelversion"."artefact",' in one["sql"]]


def test_a_slate_says_why(admin: Client, rows):
    page = admin.get(f"/admin/recommend/slate/{rows['recommend.slate'].pk}/change/").content.decode()
    assert "Because you liked &lt;Hello&gt;" in page
    assert ">Heat</a>" in page
    assert "deleted since" in page
    assert "cf 0.4000, trending 0.1000" in page
    assert "content: no model" in page


def test_slates_are_found_by_user(admin: Client, rows):
    for query in (
        "?q=ana",
        "?q=u-1",
        f"?q={rows['recommend.slate'].pk}",
        f"?user__id__exact={rows['accounts.user'].pk}",
    ):
        assert len(admin.get("/admin/recommend/slate/" + query).context["cl"].result_list) == 1, query
    assert not admin.get("/admin/recommend/slate/?q=nobody").context["cl"].result_list


def test_a_slate_names_what_is_not_for_everybody_by_number(clerk_client: Client, clerk: User, rows):
    slate = rows["recommend.slate"]
    item = Item.objects.get(pk=slate.entries[0]["item"])
    Item.objects.filter(pk=item.pk).update(is_withheld=True)
    allow(clerk, "recommend.view_slate")
    address = f"/admin/recommend/slate/{slate.pk}/change/"
    assert item.title not in clerk_client.get(address).content.decode()
    allow(clerk, "feeds.view_post")
    assert item.title in clerk_client.get(address).content.decode()
