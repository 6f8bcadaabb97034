"""The least that a socket server can be, to measure ours by: no log-in, no history, one Valkey subscription, a loop.

Whatever is published goes to every socket. Who is away for a moment has missed it.
"""

from __future__ import annotations

import asyncio
from functools import cache

from redis.asyncio.client import PubSub

from realtime.asgi_types import Receive, Scope, Send
from realtime.valkey import make_async_client

CHANNEL = "bench:bare"
APPLICATION = "recsys.bench.bare:application"

_sends: set[Send] = set()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await _subscriber()
    await send({"type": "websocket.accept"})
    _sends.add(send)
    try:
        while (await receive())["type"] != "websocket.disconnect":
            pass
    finally:
        _sends.discard(send)


@cache
def _subscriber() -> asyncio.Task[asyncio.Task[None]]:
    """Subscribed, once for the process, when it is done."""
    return asyncio.create_task(_subscribe())


async def _subscribe() -> asyncio.Task[None]:
    channel = make_async_client().pubsub(ignore_subscribe_messages=True)
    await channel.subscribe(CHANNEL)
    return asyncio.create_task(_broadcast(channel))


async def _broadcast(channel: PubSub) -> None:
    while True:
        message = await channel.get_message(timeout=None)
        if message is None:
            continue
        text = message["data"].decode()
        for send in list(_sends):
            await send({"type": "websocket.send", "text": text})
