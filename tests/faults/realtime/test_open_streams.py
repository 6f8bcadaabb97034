"""However many streams are open, they hold no connection of the database."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlencode

from channels.db import database_sync_to_async
from django.db import connection
from websockets.asyncio.client import connect

from realtime import batches, streams
from tests.faults.realtime.followers import cookie_of
from tests.faults.realtime.network import Network
from tests.faults.realtime.offers import KIND, stream

Heard = Callable[[], Awaitable[object]]
SERVER = "right"
EACH = 200  # of each transport
USERS = 40  # each has at most 20 connections
POOL = sum(pool._max_workers for pool in (batches.THREADS, batches.SIGNAL_THREADS, batches.WATCH_THREAD))


def connections() -> list[str]:
    """The states of the database's connections of the server."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT state FROM pg_stat_activity WHERE application_name = %s", [SERVER])
        return [state for (state,) in cursor.fetchall()]


class Opening:
    """Opens streams, each as one of many users; what each gives waits for an event to arrive."""

    def __init__(self, network: Network, cookies: Sequence[Mapping[str, str]], position: str) -> None:
        self.address = network.address(SERVER)
        self.port = network.ports[SERVER]
        self.position = position
        self._cookies = itertools.cycle(cookies)

    @asynccontextmanager
    async def websocket(self) -> AsyncIterator[Heard]:
        url = self.address.replace("http", "ws") + "/realtime/ws"
        async with connect(url, additional_headers=next(self._cookies), proxy=None, compression=None) as socket:
            await socket.send(json.dumps({"type": "subscribe"} | self._asked()))
            assert json.loads(await socket.recv())["type"] == "subscribed"
            yield socket.recv

    @asynccontextmanager
    async def sse(self) -> AsyncIterator[Heard]:
        query = urlencode({"subscribe": json.dumps(self._asked())})
        async with self._requested(f"GET /realtime/sse?{query}") as reader:
            await reader.readuntil(b"event: subscribed")
            yield lambda: reader.readuntil(b"event: events")

    @asynccontextmanager
    async def long_poll(self) -> AsyncIterator[Heard]:
        body = {"subscribe": [self._asked(self.position)], "wait": 25}
        async with self._requested("POST /realtime/poll", body) as reader:
            yield lambda: reader.readuntil(b'"type":"events"')

    @asynccontextmanager
    async def poll(self) -> AsyncIterator[Heard]:
        """Answered at once; its connection is kept open for the next one."""
        async with self._requested("POST /realtime/poll", {"subscribe": [self._asked()]}) as reader:
            await reader.readuntil(b'"type":"subscribed"')
            yield lambda: asyncio.sleep(0)

    def _asked(self, position: str = "") -> dict[str, str]:
        return {"id": "1", "kind": KIND, "arg": "quiet", "position": position}

    @asynccontextmanager
    async def _requested(self, line: str, body: object = None) -> AsyncIterator[asyncio.StreamReader]:
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"Host": "127.0.0.1", "Content-Length": len(content), **next(self._cookies)}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"{line} HTTP/1.1\r\n{head}\r\n".encode() + content)
            yield reader
        finally:
            writer.close()


async def test_open_streams_hold_no_connection_of_the_database(network, log_in):
    def people() -> list[Mapping[str, str]]:
        return [cookie_of(log_in(f"user-{number}")) for number in range(USERS)]

    opening = Opening(
        network,
        await database_sync_to_async(people)(),
        await asyncio.to_thread(streams.positions, [stream("quiet")]),
    )
    ways = [opening.websocket, opening.sse, opening.long_poll, opening.poll] * EACH
    async with AsyncExitStack() as stack:
        # Together, as the server asks the database in batches.
        heard = await asyncio.gather(*(stack.enter_async_context(way()) for way in ways))
        seen = [await database_sync_to_async(connections)() for _ in range(20)]
        await asyncio.to_thread(streams.append, [(stream("quiet"), {"type": "number"})])
        async with asyncio.timeout(20):
            await asyncio.gather(*(hear() for hear in heard))
    assert max(map(len, seen)) <= POOL
    assert not any("in transaction" in state for states in seen for state in states if state)
