"""`manage.py up` with its real processes: it answers, heals, refuses what it must, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.site import ROOT, Site, free_port, wait_for


def make_site(directory: Path) -> Site:
    """An empty site: what is looked at here needs no data."""
    return Site(directory / "data", "--no-demo")


@pytest.fixture(scope="module")
def site(open_directory: Callable[[], Path]) -> Iterator[Site]:
    running = make_site(open_directory())
    try:
        running.start()
        wait_for(lambda: "ready: http://" in running.log.read_text(), what="the address is printed")
        yield running
    finally:
        if running.process is not None:
            running.stop()


def up(*arguments: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    command = [sys.executable, "manage.py", "up", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)


def test_pages_rest_and_sockets_are_one_origin(site: Site) -> None:
    assert httpx.get(site.url, follow_redirects=True).headers["content-type"].startswith("text/html")
    assert httpx.get(f"{site.url}/api/schema/").status_code == 200
    with connect(f"ws://127.0.0.1:{site.port}/realtime/ws", origin=Origin(site.url)) as websocket:
        for number, kind in enumerate(("trending", "timeline")):
            websocket.send(json.dumps({"type": "subscribe", "id": str(number), "kind": kind}))
        answers = {answer["id"]: answer for answer in (json.loads(websocket.recv(timeout=30)) for _ in range(2))}
        assert answers["0"]["type"] == "subscribed", "what is trending is for visitors too"
        assert (answers["1"]["type"], answers["1"]["code"]) == ("error", "denied"), "nobody is logged in"


def test_every_process_is_there_and_named_in_the_log(site: Site) -> None:
    for name in ("web", "sockets", "relay", "worker", "beat"):
        assert site.pids("manage.py", name), name
    assert f"ready: http://localhost:{site.port}" in site.log.read_text()


def test_a_second_one_on_the_same_data_is_refused(site: Site) -> None:
    done = up("--data-dir", str(site.directory), "--port", str(free_port()))
    assert done.returncode == 1
    assert f"{site.directory} is already in use by process {site.process.pid}" in done.stderr  # type: ignore[union-attr]
    assert "Traceback" not in done.stderr
    assert site.is_ready()


def test_a_taken_port_is_refused_before_anything_starts(site: Site, tmp_path: Path) -> None:
    done = up("--data-dir", str(tmp_path / "data"), "--port", str(site.port))
    assert done.returncode == 1
    assert f"Port {site.port} on 127.0.0.1 is taken by another program" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "http"], "'http' is not a port number"),
        (["--users", "0"], "'0' is not a whole number from 1 up"),
        (["--data-dir", "/dev/null/data"], "cannot be used"),
        (["--host", "no.such.host.invalid"], "Check --host and --port"),
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], message: str) -> None:
    done = up("--port", str(free_port()), *arguments)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.fault
def test_a_killed_web_process_costs_its_visitors_time_and_no_errors(site: Site) -> None:
    before = site.kill("manage.py", "web")
    assert httpx.get(f"{site.url}/healthz", timeout=60).status_code == 200
    assert site.pids("manage.py", "web") != before


@pytest.mark.fault
def test_a_killed_worker_takes_its_pool_along_and_comes_back(site: Site) -> None:
    before = site.pids("manage.py", "worker")
    assert len(before) == 3
    main = min(before, key=lambda pid: psutil.Process(pid).create_time())
    os.kill(main, signal.SIGKILL)
    wait_for(lambda: len(site.pids("manage.py", "worker")) == 3, what="a new worker with its pool")
    assert not set(before) & set(site.pids("manage.py", "worker"))
    wait_for(site.is_ready, what="the site is ready again")


@pytest.mark.fault
@pytest.mark.parametrize("service", ["postgres", "valkey-server"])
def test_a_killed_service_comes_back(site: Site, service: str) -> None:
    [process] = [
        child
        for child in psutil.Process(site.process.pid).children()  # type: ignore[union-attr]
        if child.name() == service
    ]
    process.kill()
    wait_for(lambda: not psutil.pid_exists(process.pid), what="the supervisor has noticed")
    wait_for(site.is_ready, timeout=60, what="the site is ready again")


@pytest.mark.fault
def test_an_interrupt_while_it_starts_leaves_nothing(open_directory: Callable[[], Path]) -> None:
    site = make_site(open_directory())
    command = [sys.executable, "manage.py", "up", "--data-dir", str(site.directory), "--port", str(site.port)]
    with site.log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=site.env, stdout=output, stderr=subprocess.STDOUT)
    wait_for(lambda: site.pids("manage.py", "prepare"), what="the database is being prepared")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 130
    assert "interrupted while starting" in site.tail()
    assert not site.pids()


@pytest.mark.fault
def test_nothing_outlives_a_killed_supervisor_and_the_next_start_is_clean(site: Site) -> None:
    """The last one, as it ends the site that all others share."""
    assert site.process is not None
    assert len(site.pids()) >= 9
    site.process.kill()
    site.process.wait()
    wait_for(lambda: not site.pids(), timeout=20, what="everything has ended")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", site.port)) != 0
    site.start()
    assert site.stop() == 0
    site.process = None
