"""Signs of life of the processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest
import redis

from recsys.services import heartbeat
from recsys.services.keys import HEARTBEAT
from recsys.services.processes import wait_until

ORPHAN = """
import os, time
os.environ["TRIBUTARY_SUPERVISOR"] = "1" if os.getppid() != 1 else "2"
import django
django.setup()
from recsys.services import heartbeat
heartbeat.start("web")
time.sleep(60)
"""


def test_a_sign_is_seen_until_it_is_old(valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    assert heartbeat.alive("relay") == []
    heartbeat.give_sign("relay")
    [sign] = heartbeat.alive("relay")
    assert sign.endswith(f":{os.getpid()}")
    assert heartbeat.runs(valkey, "relay", os.getpid())
    assert not heartbeat.runs(valkey, "relay", os.getpid() + 1)
    assert not heartbeat.runs(valkey, "worker", os.getpid())
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + heartbeat.FRESH + 1)
    assert heartbeat.alive("relay") == []
    assert not heartbeat.runs(valkey, "relay", os.getpid())


def test_the_silent_are_forgotten_and_the_key_expires(valkey: redis.Redis) -> None:
    key = HEARTBEAT.key(process="web")
    valkey.zadd(key, {"elsewhere:1": time.time() - 120})
    heartbeat.give_sign("web")
    assert valkey.zcard(key) == 1
    assert 0 < valkey.ttl(key) <= (HEARTBEAT.ttl or 0)


def test_signs_come_from_a_thread_until_it_is_stopped(valkey: redis.Redis) -> None:
    stop = threading.Event()
    thread = heartbeat.start("beat", stop)
    assert wait_until(lambda: bool(heartbeat.alive("beat")), timeout=5)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_only_known_processes_give_signs() -> None:
    with pytest.raises(ValueError, match="there are web, sockets, relay, worker, beat"):
        heartbeat.start("webb")


def test_a_process_whose_supervisor_is_gone_ends() -> None:
    assert subprocess.run([sys.executable, "-c", ORPHAN], timeout=30).returncode == 1
