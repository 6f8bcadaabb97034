from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from rest_framework.test import APIClient

from recsys.partners import throttling
from recsys.partners.actions import do_create_client
from recsys.partners.keys import BUCKET
from recsys.partners.metrics import THROTTLE_FALLBACKS
from recsys.partners.models import ApiClient
from recsys.partners.throttling import Buckets, LocalBuckets, buckets
from tests.partners.assertions import assert_problem

ADDRESS = "/api/v1/items/nothing"


@pytest.fixture
def small(db: None) -> ApiClient:
    return do_create_client(name="Small", requests_per_minute=3)


def test_an_allowance_is_spent_and_the_answer_says_when_to_come_back(
    make_api: Callable[..., APIClient], small: ApiClient
) -> None:
    api = make_api(client=small)
    for left in (2, 1, 0):
        response = api.get(ADDRESS)
        assert response.status_code == 404
        assert response.headers["RateLimit-Policy"] == '"client";q=3;w=60'
        assert response.headers["RateLimit"].startswith(f'"client";r={left};t=')
    refused = api.get(ADDRESS)
    assert_problem(refused, 429, "throttled")
    assert 15 <= int(refused.headers["Retry-After"]) <= 21


def test_all_keys_of_a_client_share_its_allowance_and_others_do_not(
    make_api: Callable[..., APIClient], small: ApiClient
) -> None:
    one, two, other = make_api(client=small), make_api(client=small), make_api()
    assert [api.get(ADDRESS).status_code for api in (one, two, one, two)] == [404, 404, 404, 429]
    assert other.get(ADDRESS).status_code == 404


def test_forged_addresses_change_nothing(make_api: Callable[..., APIClient], small: ApiClient) -> None:
    statuses = [
        make_api(client=small, HTTP_X_FORWARDED_FOR=f"10.0.0.{number}", REMOTE_ADDR=f"10.1.0.{number}")
        .get(ADDRESS)
        .status_code
        for number in range(4)
    ]
    assert statuses == [404, 404, 404, 429]


def test_parallel_requests_cannot_slip_through_together() -> None:
    with ThreadPoolExecutor(8) as pool:
        grants = list(pool.map(lambda _: Buckets().take(1, 20), range(100)))
    assert sum(grant.allowed for grant in grants) == 20


def test_a_bucket_refills_evenly(valkey: redis.Redis) -> None:
    assert all(buckets.take(1, 60).allowed for _ in range(60))
    assert not buckets.take(1, 60).allowed
    seconds, microseconds = valkey.time()
    valkey.hset(BUCKET.key(client=1), "at", str(seconds + microseconds / 1e6 - 10))
    grants = [buckets.take(1, 60).allowed for _ in range(12)]
    assert grants == [True] * 10 + [False] * 2


def test_a_bucket_is_bounded_and_expires(valkey: redis.Redis) -> None:
    buckets.take(1, 60)
    assert set(valkey.hkeys(BUCKET.key(client=1))) == {b"tokens", b"at"}
    assert 0 < valkey.ttl(BUCKET.key(client=1)) <= 120


def test_a_changed_allowance_counts_at_once() -> None:
    assert [buckets.take(1, 2).allowed for _ in range(3)] == [True, True, False]
    assert not buckets.take(1, 1).allowed


@pytest.mark.django_db
def test_without_valkey_requests_are_served_within_a_bound(
    make_api: Callable[..., APIClient], small: ApiClient, settings: Any
) -> None:
    before = THROTTLE_FALLBACKS._value.get()
    settings.REDIS_URL = "unix:///nonexistent/valkey.sock?db=0"
    api = make_api(client=small)
    assert [api.get(ADDRESS).status_code for _ in range(5)] == [404, 404, 404, 429, 429]
    assert THROTTLE_FALLBACKS._value.get() == before + 5


def test_valkey_is_asked_again_after_a_while(settings: Any) -> None:
    working, settings.REDIS_URL = settings.REDIS_URL, "unix:///nonexistent/valkey.sock?db=0"
    failing = Buckets()
    failing.take(1, 5)
    settings.REDIS_URL = working
    failing._client = None
    before = THROTTLE_FALLBACKS._value.get()
    failing.take(1, 5)
    assert THROTTLE_FALLBACKS._value.get() == before + 1
    failing._away_until -= throttling.RECOVERY
    failing.take(1, 5)
    assert THROTTLE_FALLBACKS._value.get() == before + 1


def test_local_buckets_are_bounded() -> None:
    local = LocalBuckets()
    for client in range(throttling.MAX_LOCAL_BUCKETS + 10):
        local.take(client, 5)
    assert len(local._held) == throttling.MAX_LOCAL_BUCKETS
