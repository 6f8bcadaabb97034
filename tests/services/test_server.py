"""The servers on real sockets: one port for everything, realtime connections handed to the process that is for them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from recsys.services.processes import wait_until
from tests.site import free_port

Start = Callable[..., subprocess.Popen[bytes]]


class Servers:
    """A `web` and, where asked for, a `sockets` process over the toy site."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.handover = directory / "handover.sock"
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, kind: str) -> subprocess.Popen[bytes]:
        port = self.port if kind == "web" else 0
        command = [sys.executable, "-m", "tests.services.toy_site", kind, str(port), str(self.handover)]
        process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
        self.running.append(process)
        assert wait_until(self.answers if kind == "web" else self.handover.exists, timeout=30)
        return process

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def pid(self, path: str) -> int:
        return int(httpx.get(self.url + path).headers["x-pid"])

    def speak(self, data: bytes) -> bytes:
        """Send raw bytes and return all that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as raw:
            raw.sendall(data)
            answer = b""
            while chunk := raw.recv(65536):
                answer += chunk
        return answer

    def stop(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(15)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    pair = Servers(tmp_path_factory.mktemp("servers"))
    try:
        pair.start("web")
        pair.start("sockets")
        yield pair
    finally:
        pair.stop()


def test_pages_and_realtime_share_a_port_and_not_a_process(servers: Servers) -> None:
    web, sockets = (process.pid for process in servers.running)
    assert servers.pid("/page") == web
    assert wait_until(lambda: servers.pid("/realtime/poll") == sockets, timeout=5)
    with connect(f"ws://127.0.0.1:{servers.port}/realtime/ws") as websocket:
        assert websocket.recv() == str(sockets)
        websocket.send("hello")
        assert websocket.recv() == "hello"


def test_a_kept_connection_is_handed_over_between_requests_and_bodies_arrive(servers: Servers) -> None:
    with httpx.Client(base_url=servers.url) as client:
        assert client.post("/one", content=b"x" * 300_000).text == "/one " + "x" * 300_000
        assert client.get("/realtime/poll").text == "realtime"
        assert client.get("/two").headers["x-pid"] == str(servers.running[0].pid)


def test_without_a_socket_server_web_serves_realtime_itself(tmp_path: Path) -> None:
    pair = Servers(tmp_path)
    try:
        web = pair.start("web")
        assert pair.pid("/realtime/poll") == web.pid
        sockets = pair.start("sockets")
        assert wait_until(lambda: pair.pid("/realtime/poll") == sockets.pid, timeout=5)
        sockets.kill()
        sockets.wait()
        assert pair.pid("/realtime/poll") == web.pid
        again = pair.start("sockets")
        assert wait_until(lambda: pair.pid("/realtime/poll") == again.pid, timeout=5)
    finally:
        pair.stop()


def test_a_request_under_way_is_finished_before_the_server_stops(tmp_path: Path) -> None:
    pair = Servers(tmp_path)
    try:
        web = pair.start("web")
        with socket.create_connection(("127.0.0.1", pair.port), timeout=10) as raw:
            raw.sendall(b"GET /slow?0.5 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert wait_until(lambda: _threads(web.pid) > 0, timeout=5)
            web.send_signal(signal.SIGTERM)
            assert raw.recv(65536).startswith(b"HTTP/1.1 200 OK")
        assert web.wait(10) == 0
    finally:
        pair.stop()


def _threads(pid: int) -> int:
    """How many pool threads the server has: they are made when the first request needs one."""
    return len(os.listdir(f"/proc/{pid}/task")) - 1


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", b"400"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\nConnection: close\r\n\r\n", b"413"),
    ],
    ids=["no HTTP", "headers too long", "address too long", "body too long"],
)
def test_what_is_too_much_is_refused(servers: Servers, request_: bytes, status: bytes) -> None:
    assert servers.speak(request_).startswith(b"HTTP/1.1 " + status)


def test_frames_have_a_bound(servers: Servers) -> None:
    with connect(f"ws://127.0.0.1:{servers.port}/realtime/ws") as websocket:
        websocket.recv()
        websocket.send("x" * 70_000)
        with pytest.raises(Exception, match="1009"):
            websocket.recv()


def test_a_stream_of_unknown_length_arrives_whole(servers: Servers) -> None:
    assert len(httpx.get(f"{servers.url}/stream?500").content) == 500_000
