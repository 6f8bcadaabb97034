"""The log of a real worker."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.outbox.models import OutboxRow
from tests.site import ROOT, wait_for


@pytest.fixture
def worker_log(process_env: dict[str, str], tmp_path: Path) -> Iterator[Path]:
    """A relay and a worker on this test's services; what the worker writes."""
    processes = []
    env = process_env | {"LOG_FORMAT": "json"}
    for name in ("relay", "worker"):
        with (tmp_path / f"{name}.log").open("wb") as log:
            command = [sys.executable, "manage.py", name, *(["--concurrency=1"] if name == "worker" else [])]
            processes.append(subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log))
    yield tmp_path / "worker.log"
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait(30)


def handled(log: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "outbox_handled" and line["topic"] == "events.interaction"]


@pytest.mark.django_db(transaction=True)
def test_the_id_of_a_request_reaches_the_log_of_the_worker(client: Client, worker_log: Path) -> None:
    item = Item.objects.create(title="Heat")
    client.force_login(User.objects.create_user("ana"))
    OutboxRow.objects.all().delete()
    body = {"event_id": "1", "item": item.pk, "kind": "like"}
    headers = {"X-Request-ID": "from-the-browser"}
    assert client.post("/events/", body, content_type="application/json", headers=headers).status_code < 300
    wait_for(lambda: not OutboxRow.objects.exists(), timeout=60, what=worker_log.read_text())
    (line,) = wait_for(lambda: handled(worker_log), what="the handler's line")
    assert line["request_id"] == "from-the-browser"
    assert (line["topic"], line["rows"], line["task"]) == ("events.interaction", 1, "outbox.events.interaction")
    assert line["timestamp"]
