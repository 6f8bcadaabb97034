"""Kill real processes while posts are on their way. Afterwards no acknowledged post is missing, and what every active
follower sees equals what SQL computes, each post once.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import psycopg

from recsys.demo.logins import DEMO_PASSWORD
from recsys.services.paths import ServicePaths
from tests.site import Site, wait_for

Ask = Callable[..., Any]


def settle(site: Site, ask: Ask) -> None:
    """Wait until every change has been handled; a killed worker's rows wait for the end of their lease."""
    wait_for(site.is_ready, timeout=60, what="the site is ready again")
    left = "SELECT count(*) FROM outbox WHERE parked_at IS NULL"
    with psycopg.connect(ServicePaths(site.directory).database_url, autocommit=True) as database:
        wait_for(
            lambda: database.execute(left).fetchone() == (0,),
            timeout=150,
            interval=0.2,
            what="the outbox is empty again",
        )
    assert ask("parked") == 0


def assert_equals_sql(ask: Ask, author: str, *, posts: int, readers: int, warm: int, sample: int = 100) -> None:
    """All readers' `warm` windows, and the pages of a sample of the readers, equal what SQL computes."""
    found = ask("compare", author, sample)
    assert found["wrong"] == []
    assert (found["readers"], found["posts"], found["warm"]) == (readers, posts, warm)


def test_worker_killed_in_the_middle_of_a_fan_out_to_10_000(site, ask):
    assert ask("seed", "loud", 10_000) == 10_000
    ask("post", "loud")
    reached = wait_for(lambda: ask("delivered", "loud"), interval=0, what="the fan-out has begun")
    # The pool's processes too: each may be in the middle of a chunk.
    site.kill("manage.py", "worker")
    halfway = ask("delivered", "loud")
    settle(site, ask)
    assert reached <= halfway <= ask("delivered", "loud") == 10_000
    assert_equals_sql(ask, "loud", posts=1, readers=10_000, warm=10_000)


def test_relay_killed_between_sending_and_finishing(site, ask):
    ask("seed", "chatty", 300)
    for _ in range(5):
        posts = ask("post", "chatty", 20)
        wait_for(partial(ask, "sent", posts), interval=0.02, timeout=60, what="the relay, started again, sends some")
        site.kill("manage.py", "relay")
    settle(site, ask)
    assert_equals_sql(ask, "chatty", posts=100, readers=300, warm=300)


def test_valkey_killed_and_its_memory_lost(site, ask):
    ask("seed", "steady", 300)
    ask("post", "steady", 10)
    settle(site, ask)
    site.kill("valkey-server")
    during = ask("post", "steady", 10)
    assert len(during) == 10, "posting needs no Valkey"
    settle(site, ask)
    # All of it is gone; reading makes it anew, and it goes on from there.
    assert_equals_sql(ask, "steady", posts=20, readers=300, warm=0, sample=300)
    ask("post", "steady", 5)
    settle(site, ask)
    assert_equals_sql(ask, "steady", posts=25, readers=300, warm=300)


def test_postgresql_killed_during_posting(site, ask):
    """Posts are written through the pages; each one that was acknowledged is there afterwards, once."""
    client = httpx.Client(base_url=site.url, timeout=30)
    page = client.get("/accounts/login/").text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page).group(1)
    credentials = {"login": "ben", "password": DEMO_PASSWORD, "csrfmiddlewaretoken": token}
    assert client.post("/accounts/login/", data=credentials, headers={"Referer": site.url}).status_code == 302
    acknowledged, refused, stop = [], [], threading.Event()

    def write() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            text = f"Through the crash, number {n}."
            form = {"text": text, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
            answer = client.post("/posts/", data=form, headers={"Referer": site.url})
            (acknowledged if answer.status_code == 302 else refused).append(text)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_for(lambda: len(acknowledged) >= 20, what="posts are accepted")
        site.kill("postgres", "-D")
        before = len(acknowledged)
        wait_for(lambda: len(acknowledged) >= before + 20, timeout=60, what="posts are accepted again")
    finally:
        stop.set()
        writer.join(60)
        client.close()
    settle(site, ask)
    stored = ask("texts", "ben", "Through the crash")
    assert len(stored) == len(set(stored))
    assert set(acknowledged) <= set(stored)
    found = ask("compare_all", "ben")
    assert found["wrong"] == []
    assert found["readers"] > 0
