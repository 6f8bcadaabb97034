"""The cheap client, against a server that is not ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from django.core.management.base import CommandError
from websockets.asyncio.server import Server, ServerConnection, serve

from recsys.bench import clients
from recsys.bench.clients import SocketClient, find_frame, join, join_all, join_first, make_frame, open_socket
from recsys.bench.processes import free_port

Handler = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler, **options) -> AsyncIterator[int]:
    """A server on a port of its own."""
    async with serve(handler, "127.0.0.1", 0, compression=None, **options) as server:
        yield port_of(server)


def port_of(server: Server) -> int:
    (listener,) = server.sockets
    return listener.getsockname()[1]


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


class Heard:
    """What a client has heard."""

    def __init__(self) -> None:
        self.texts: asyncio.Queue[bytes] = asyncio.Queue()

    def __call__(self, client: SocketClient, text: bytes, arrived: float) -> None:
        self.texts.put_nowait(text)

    async def next(self) -> bytes:
        return await asyncio.wait_for(self.texts.get(), 10)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 200_000])
async def test_texts_of_every_length_go_there_and_back(length):
    heard = Heard()
    async with serving(echo) as port:
        client = await open_socket(port, "a=b", heard)
        client.send(b"x" * length)
        client.send(b"the end")
        assert await heard.next() == b"x" * length
        assert await heard.next() == b"the end"
        client.abort()


async def test_the_handshake_has_the_cookie_and_the_sites_own_origin():
    seen = []

    async def look(connection: ServerConnection) -> None:
        seen.append(connection.request)

    async with serving(look) as port:
        client = await open_socket(port, "sessionid=abc", Heard())
        await asyncio.wait_for(client.lost, 10)
    (request,) = seen
    assert request.path == "/realtime/ws"
    assert request.headers["Cookie"] == "sessionid=abc"
    assert request.headers["Origin"] == f"http://{request.headers['Host']}" == f"http://localhost:{port}"


async def test_pings_are_answered():
    async def ping(connection: ServerConnection) -> None:
        await (await connection.ping(b"there?"))
        await connection.send("yes")

    heard = Heard()
    async with serving(ping) as port:
        await open_socket(port, "", heard)
        assert await heard.next() == b"yes"


async def test_a_refused_handshake_is_an_error():
    def refuse(connection: ServerConnection, request):
        return connection.respond(HTTPStatus.FORBIDDEN, "not you")

    async with serving(echo, process_request=refuse) as port:
        with pytest.raises(ConnectionRefusedError, match="403"):
            await open_socket(port, "", Heard())


async def test_a_connection_that_ends_before_the_handshake_is_an_error():
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        with pytest.raises(ConnectionResetError):
            await open_socket(server.sockets[0].getsockname()[1], "", Heard())


async def test_both_ends_notice_that_the_other_has_gone():
    gone = asyncio.Event()

    async def wait(connection: ServerConnection) -> None:
        await connection.wait_closed()
        gone.set()

    async with serving(wait) as port:
        client = await open_socket(port, "", Heard())
        client.abort()
        await asyncio.wait_for(gone.wait(), 10)
        await asyncio.wait_for(client.lost, 10)
        other = await open_socket(port, "", Heard())
    await asyncio.wait_for(other.lost, 10)


async def test_joining_waits_for_the_subscription_and_then_listens():
    async def subscribe(connection: ServerConnection) -> None:
        assert await connection.recv() == '{"type":"subscribe"}'
        await connection.send('{"type":"subscribed"}')
        await connection.send('{"type":"events"}')
        await connection.wait_closed()

    heard = Heard()
    async with serving(subscribe) as port:
        joined = await join_all(port, ["a=1", "a=2"], b'{"type":"subscribe"}', heard)
        assert [await heard.next(), await heard.next()] == [b'{"type":"events"}'] * 2
        for client in joined:
            client.abort()


async def test_a_denied_subscription_ends_the_bench():
    async def deny(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"type":"error","code":"denied"}')

    async with serving(deny) as port:
        with pytest.raises(CommandError, match="denied"):
            await join(port, "", b"{}", Heard())


async def test_a_server_that_never_comes_is_an_error(monkeypatch):
    monkeypatch.setattr(clients, "PATIENCE", 0.05)
    with pytest.raises(CommandError, match="No server answered"):
        await join_first(free_port(), "", b"", Heard())


@pytest.mark.parametrize("length", [0, 125, 126, 65_536])
def test_an_unfinished_frame_is_left_for_later(length):
    # A server's frame: the client's without mask.
    masked = make_frame(clients.TEXT, b"x" * length)
    mask_at = len(masked) - length - 4
    frame = bytes([masked[0], masked[1] & 0x7F]) + masked[2:mask_at] + masked[mask_at + 4 :]
    assert all(find_frame(frame[:end], 0) is None for end in {0, 1, len(frame) // 2, len(frame) - 1})
    assert find_frame(b"--" + frame + b"more", 2) == (clients.TEXT, len(frame) - length + 2, len(frame) + 2)
