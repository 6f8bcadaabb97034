from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest
import redis
from django.conf import settings as configured

from feeds.keys import AUTHOR, HOME, WINDOW_BYTES
from realtime import streams
from realtime.keys import PRESENT, STREAM
from recsys.outbox.keys import WAKE
from recsys.services import memory
from recsys.services.memory import KeyUse, Memory, broker_url, find_memory


def found(limit: int = memory.WALKED) -> Memory:
    answer = find_memory(limit=limit)
    assert answer is not None
    return answer


def uses(answer: Memory) -> dict[str, KeyUse]:
    return {use.name: use for feature in answer.features for use in feature.uses}


def fill_windows(valkey: redis.Redis, count: int, members: int = 5) -> None:
    pipeline = valkey.pipeline(transaction=False)
    for reader in range(count):
        pipeline.zadd(HOME.key(reader=reader), {str(10**12 + n): n for n in range(members)})
    pipeline.execute()


def test_keys_are_counted_and_weighed_by_kind(valkey):
    fill_windows(valkey, 3)
    valkey.zadd(AUTHOR.key(author=1), {"1": 1})
    streams.positions(["user:1", "author:2:x"])
    valkey.rpush(WAKE.key(), "1")
    answer = found()
    by_name = uses(answer)
    assert {name: use.keys for name, use in by_name.items() if use.keys} == {
        HOME.template: 3, AUTHOR.template: 1, STREAM.template: 2, WAKE.template: 1,
    }  # fmt: skip
    windows = by_name[HOME.template]
    weights = [valkey.memory_usage(HOME.key(reader=reader)) for reader in range(3)]
    assert (windows.bytes, windows.largest) == (sum(weights), max(weights))
    assert windows.average == round(sum(weights) / 3)
    assert windows.encodings == ("listpack",)
    assert not windows.estimated
    assert (answer.walked, answer.keys, answer.is_estimated) == (7, 7, False)
    assert answer.bytes == sum(use.bytes for use in by_name.values())
    assert answer.used > answer.bytes


def test_they_are_grouped_by_the_part_of_the_product(valkey):
    fill_windows(valkey, 1)
    groups = {feature.name: {use.name for use in feature.uses} for feature in found().features}
    assert groups["feeds"] >= {HOME.template, AUTHOR.template}
    assert groups["realtime"] >= {STREAM.template, PRESENT.template}
    assert groups["outbox"] >= {WAKE.template}
    assert uses(found())[AUTHOR.template].keys == 0, "what is declared is shown, be there any or not"


def test_the_heaviest_come_first(valkey):
    valkey.set("left:over", "x" * 5000)
    valkey.set(AUTHOR.key(author=1), "x" * 2000)
    valkey.set(HOME.key(reader=1), "x")
    features = found().features
    assert [feature.name for feature in features[:2]] == [memory.UNKNOWN, "feeds"]
    assert [use.name for use in features[1].uses[:2]] == [AUTHOR.template, HOME.template]
    assert features[1].bytes == sum(use.bytes for use in features[1].uses) > 2000
    assert features[1].keys == 2


def test_beyond_the_limit_numbers_are_estimated(valkey):
    fill_windows(valkey, 3000)
    valkey.rpush(WAKE.key(), "1")
    answer = found(limit=300)
    assert 300 <= answer.walked < 1000
    assert (answer.keys, answer.is_estimated) == (3001, True)
    windows = uses(answer)[HOME.template]
    assert windows.estimated
    assert 2990 <= windows.keys <= 3001
    # The sum over all: an allocator may give single ones a few bytes more.
    weights = sum(valkey.memory_usage(HOME.key(reader=reader)) for reader in range(3000))
    assert 0.95 * weights < windows.bytes < 1.05 * weights
    assert uses(answer)[WAKE.template].keys == 1, "of it there can be only one, seen or not"


def test_only_so_many_keys_of_a_kind_are_weighed(valkey):
    fill_windows(valkey, memory.WEIGHED * 3 + 1)
    valkey.config_resetstat()
    windows = uses(found())[HOME.template]
    assert valkey.info("commandstats")["cmdstat_memory|usage"]["calls"] <= memory.WEIGHED + len(memory.LIBRARIES) * 2
    assert windows.keys == memory.WEIGHED * 3 + 1
    assert windows.estimated, "the bytes are"


def test_asking_is_no_use_of_a_key(valkey):
    """Else it would keep windows from being evicted."""
    fill_windows(valkey, 1)
    key = HOME.key(reader=0)
    valkey.restore(key, 0, valkey.dump(key), replace=True, idletime=1000)
    assert uses(found())[HOME.template].keys == 1
    assert valkey.object("idletime", key) >= 1000


def test_what_nobody_declared_is_named(valkey):
    valkey.set("left:over", "x" * 1000)
    valkey.set(b"\xff\xfe", "x")
    valkey.set("timeline:home:", "x")  # a reader is missing
    unknown = uses(found())[memory.UNKNOWN]
    assert unknown.keys == 3
    assert unknown.largest > 1000
    assert set(unknown.examples) == {"left:over", r"\xff\xfe", "timeline:home:"}
    for number in range(20):
        valkey.set(f"more:{number}", "x")
    assert len(uses(found())[memory.UNKNOWN].examples) == memory.EXAMPLES


def test_keys_of_libraries_belong_to_them_in_both_databases(valkey):
    valkey.set("cache::1:allauth", "1")
    with redis.Redis.from_url(broker_url() or "") as broker:
        broker.rpush("celery", "message")
        broker.rpush("celery.other", "message")
        broker.sadd("_kombu.binding.celery", "1")
    features = {feature.name: feature for feature in found().features}
    assert {use.name: use.keys for use in features["Celery (kombu)"].uses} == {
        "celery": 1, "celery.*": 1, "_kombu.binding*": 1,
    }  # fmt: skip
    assert features["Django's cache"].keys == 1
    assert memory.UNKNOWN not in features
    assert found().keys == 4


def test_one_database_for_both_is_counted_once(valkey, settings):
    valkey.rpush("celery", "message")
    settings.CELERY_BROKER_URL = settings.REDIS_URL.replace("unix://", "redis+socket://").replace(
        "?db=", "?virtual_host="
    )
    assert uses(found())["celery"].keys == 1
    assert found().keys == 1


@pytest.mark.parametrize(
    ("broker", "url"),
    [
        ("redis+socket:///run/valkey.sock?virtual_host=3", "unix:///run/valkey.sock?db=3"),
        ("rediss://:secret@host:6379/1", "rediss://:secret@host:6379/1"),
        ("amqp://user:password@host//", None),
    ],
)
def test_the_address_of_the_broker(settings, broker, url):
    settings.CELERY_BROKER_URL = broker
    assert broker_url() == url


def test_the_same_place_by_another_name():
    assert memory._place("redis://localhost:6379/0") == memory._place("redis://:secret@localhost")
    assert memory._place("redis://localhost/1") != memory._place("redis://localhost/0")


def test_a_window_is_too_large_where_it_is_not_packed(valkey):
    fill_windows(valkey, 2, members=801)
    answer = found()
    assert answer.too_large == [], "as the embedded server is set up"
    largest = uses(answer)[HOME.template].largest
    assert 10_000 < largest <= WINDOW_BYTES
    before = valkey.config_get("zset-max-listpack-entries")
    valkey.config_set("zset-max-listpack-entries", 128)
    try:
        fill_windows(valkey, 1, members=802)
        (windows,) = found().too_large
    finally:
        valkey.config_set("zset-max-listpack-entries", before["zset-max-listpack-entries"])
    assert (windows.name, windows.largest > WINDOW_BYTES) == (HOME.template, True)
    assert windows.encodings == ("listpack", "skiplist")


@pytest.mark.parametrize("url", ["unix:///nonexistent?db=0", "redis://wolfgang:hunter2@127.0.0.1:1/0"])
def test_nothing_is_said_where_valkey_is_away(settings, url):
    settings.REDIS_URL = url
    assert find_memory() is None


def test_a_broker_that_is_away_takes_nothing_else_with_it(valkey, settings):
    valkey.rpush(WAKE.key(), "1")
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    answer = found()
    assert answer.broker_is_away
    assert uses(answer)[WAKE.template].keys == 1


def test_an_empty_valkey():
    answer = found()
    assert (answer.keys, answer.bytes, answer.too_large) == (0, 0, [])
    assert {use.average for use in uses(answer).values()} == {0}
    assert not answer.broker_is_away
    assert configured.REDIS_URL != configured.CELERY_BROKER_URL


def test_walking_stops_in_time(valkey: Any, monkeypatch: pytest.MonkeyPatch):
    fill_windows(valkey, 5000)
    monkeypatch.setattr(memory, "WALK_TIME", -1.0)
    answer = found()
    assert answer.walked < 2500
    assert 4500 < uses(answer)[HOME.template].keys <= 5000


def test_queues_of_messages_are_among_what_is_declared():
    queues = [queue.name for queue in configured.CELERY_TASK_QUEUES]
    assert len(queues) == 4
    for name in queues:
        assert [glob for glob in memory.LIBRARIES if fnmatchcase(name, glob)], name
