"""The table of keys in docs/valkey.md: complete, and obeyed by a running system."""

from __future__ import annotations

import fnmatch
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client

from feeds.actions import do_create_post, do_delete_post
from feeds.graph import do_follow
from feeds.selectors import home_timeline
from realtime import streams
from realtime.keys import HISTORY
from realtime.presence import beat_arguments
from realtime.scripts import read_arguments
from realtime.valkey import KeyPattern, get_client
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.outbox.models import OutboxRow
from recsys.outbox.pacing import SETTLE, Pace
from recsys.partners.actions import do_create_client, do_create_key
from recsys.recommend.tasks import prune_slates
from recsys.services import heartbeat
from recsys.services.memory import LIBRARIES
from tests.architecture.tree import ROOT, name_of, sources
from tests.site import wait_for

PAGE = ROOT / "docs" / "valkey.md"

# How many members or bytes a key may have, by template: the `bound` in a form that a program can compare.
LIMITS = {
    "api:bucket:{client}": 2,
    "audit:timelines": 1000,
    "events:rate:{what}:{user_id}:{minute}": 10,
    "heartbeat:{process}": 20,
    "outbox:pace:{topic}:{key}": 1,
    "outbox:read:{topic}:{key}": 16,
    "outbox:wake": 1,
    "realtime:online": 200_000,
    "realtime:presence:{name}": 20,
    "realtime:present": 200_000,
    "realtime:stream:{name}": 100,
    "recommend:dashboards": 5000,
    "timeline:alive": 1,
    "timeline:author:{author}": 832,
    "timeline:home:{reader}": 832,
    "timeline:version:{author}": 16,
}


def patterns() -> list[KeyPattern]:
    """All declared patterns that the product's modules register."""
    for path in sources("recsys", "feeds", "realtime"):
        if path.name == "keys.py":
            import_module(name_of(path).removesuffix(".py").replace("/", "."))
    return sorted(set(KeyPattern.registered), key=lambda one: one.template)


def rows(heading: str) -> list[list[str]]:
    """The body of the table under `heading`, cell by cell."""
    section = PAGE.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def library_patterns() -> dict[str, str]:
    """Glob → TTL column of the keys that libraries make."""
    return {cells[0].strip("`"): cells[4] for cells in rows("Keys of libraries")}


def test_the_table_is_what_the_code_declares():
    declared = [
        [f"`{one.template}`", f"`{one.owner}`", one.holds.replace("<", "&lt;"), one.bound, f"{one.ttl} s"]
        for one in patterns()
    ]
    assert rows("Keys of ours") == declared


def test_every_pattern_says_who_owns_it_and_how_far_it_goes():
    assert {one.template for one in patterns()} == set(LIMITS)
    for one in patterns():
        assert one.owner
        assert one.holds
        assert one.bound
        assert one.ttl is not None, f"{one.template} would stay for ever"
        import_module(one.owner)


def test_keys_of_libraries_are_those_that_staff_are_shown():
    assert {cells[0].strip("`"): cells[1].partition(",")[0] for cells in rows("Keys of libraries")} == LIBRARIES


def test_patterns_do_not_overlap():
    globs = {one.template: glob(one.template) for one in patterns()}
    for template, own in globs.items():
        example = re.sub(r"\{\w+\}", "7", template)
        assert [other for other, theirs in globs.items() if fnmatch.fnmatchcase(example, theirs)] == [template], own


def glob(template: str) -> str:
    return re.sub(r"\{\w+\}", "*", template)


@pytest.fixture
def worker(process_env: dict[str, str], tmp_path) -> Iterator[None]:
    """A real Celery worker on this test's services."""
    with (tmp_path / "worker.log").open("wb") as log:
        command = [sys.executable, "manage.py", "worker", "--concurrency=1"]
        process = subprocess.Popen(command, cwd=ROOT, env=process_env, stdout=log, stderr=log)
        wait_for(lambda: heartbeat.alive("worker"), timeout=60, what="the worker's sign of life")
        yield
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.mark.django_db(transaction=True)
def test_every_key_of_a_running_system_is_in_the_table(client: Client, drain_outbox, worker: None, valkey: redis.Redis):
    assert settings.CELERY_BROKER_URL != settings.REDIS_URL
    drive_pages(client)
    drive_feeds(drain_outbox)
    drive_partners()
    drive_streams()
    prune_slates.delay()
    broker_url = settings.CELERY_BROKER_URL.replace("redis+socket", "unix").replace("virtual_host", "db")
    with redis.Redis.from_url(broker_url) as broker:
        wait_for(lambda: not broker.llen("celery"), what="the worker takes the task")
        found = [(key.decode(), db) for db in (valkey, broker) for key in db.scan_iter(count=1000)]
        seen: set[str] = set()
        for key, db in found:
            seen.add(check(key, db))
    assert set(LIMITS) <= seen, "not all of it was driven"


def check(key: str, db: redis.Redis) -> str:
    """Hold one key against the table; return its pattern."""
    for one in patterns():
        if fnmatch.fnmatchcase(key, glob(one.template)):
            ttl = db.ttl(key)
            assert ttl == -2 or 0 <= ttl <= (one.ttl or 0), f"{key} has a TTL of {ttl}"
            assert size(key, db) <= LIMITS[one.template], f"{key} is beyond its bound: {one.bound}"
            return one.template
    for pattern, ttl_column in library_patterns().items():
        if fnmatch.fnmatchcase(key, pattern):
            assert ttl_column == "none" or db.ttl(key) != -1, f"{key} has no TTL, against the table"
            return pattern
    raise AssertionError(f"{key} ({db.type(key)!r}) is in no table of {name_of(PAGE)}")


def size(key: str, db: redis.Redis) -> int:
    measure: dict[bytes, Any] = {
        b"string": db.strlen,
        b"list": db.llen,
        b"set": db.scard,
        b"zset": db.zcard,
        b"hash": db.hlen,
        b"stream": db.xlen,
        b"none": lambda _: 0,
    }
    kind = db.type(key)
    assert isinstance(kind, bytes)
    return int(measure[kind](key))


def drive_pages(client: Client) -> None:
    """Log in (wrongly first, which is counted), look, click."""
    ana = User.objects.create_user("ana", password="a long password", region="GB")
    item = Item.objects.create(title="Heat", kind="film")
    client.post("/accounts/login/", {"login": "ana", "password": "wrong"})
    client.force_login(ana)
    assert client.get("/").status_code == 200
    body = {"event_id": "1", "item": item.pk, "kind": "click"}
    assert client.post("/events/", body, content_type="application/json").status_code < 300


def drive_feeds(drain_outbox: Any) -> None:
    """More posts than a window holds, pushed and pulled, and a deletion."""
    ana = User.objects.get(username="ana")
    ben, star = (User.objects.create(username=name) for name in ("ben", "star"))
    from feeds.audit_runs import do_audit_sample
    from feeds.models import AuthorOverride
    from feeds.rebuild import do_rebuild_after_loss

    AuthorOverride.objects.create(author=star, mode="pull")
    for author in (ben, star):
        do_follow(follower=ana, followee=author)
    drain_outbox()
    home_timeline(reader=ana)
    do_rebuild_after_loss()
    do_audit_sample()
    for author in (ben, star):
        posts = [do_create_post(author=author, text=f"Post {number}") for number in range(3)]
        drain_outbox()
        do_delete_post(post=posts[0], by=author)
        drain_outbox()
        home_timeline(reader=ana)
    fill_windows(ana, star)
    assert not OutboxRow.objects.exclude(type=SETTLE).exists()


def fill_windows(reader: User, author: User) -> None:
    from feeds import timelines

    keys = [timelines.home(reader.pk), timelines.author_list(author.pk)]
    opened = timelines.open_windows(keys)
    contents = timelines.Contents(tag="test", newest=list(range(2000, 1000, -1)))
    timelines.fill_windows(opened, dict.fromkeys(keys, contents))
    timelines.add_posts([([key.name for key in keys], list(range(2001, 2101)))])


def drive_partners() -> None:
    key = do_create_key(client=do_create_client(name="Shop"), scopes=["read", "write"])
    headers = {"Authorization": f"Bearer {key.text}"}
    assert Client().get("/api/v1/trending", headers=headers).status_code < 500


def drive_streams() -> None:
    streams.positions(["user:1"])
    get_client().eval(*read_arguments([("user:1", None)], "a socket server"))
    get_client().eval(*beat_arguments([1, 2]))
    Pace("drive", seconds=60.0).publish(["a state"], lambda keys: None)
    for number in range(HISTORY + 50):
        streams.append([("user:1", {"type": "post.new", "post": number})])
