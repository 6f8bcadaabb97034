"""Polls, which answer at once or as soon as there is something to tell; and signals of those who poll."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson

from realtime.admission import admit_scope
from realtime.asgi_types import Receive, Scope, Send
from realtime.closing import Closed
from realtime.connection import Connection
from realtime.limits import LONGEST_WAIT, MAX_SUBSCRIPTIONS
from realtime.messages import Message, MessageError, check_fields, read_object
from realtime.requests import BadRequest, read_body, refuse, respond
from realtime.subscription import Outgoing

POLL_AGAIN = 5000  # milliseconds that are between two polls which do not wait
MAX_ANSWER = 512 * 1024  # bytes; what remains comes with the next poll


class PollConnection(Connection):
    """A connection of one request. It is over when there is an answer."""

    __slots__ = ("_news",)
    transport = "poll"

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self._news = asyncio.Event()

    async def serve(self, wanted: list[Message], wait: float) -> list[Outgoing]:
        """The messages that answer, after at most `wait` seconds. Raises Closed as every connection."""
        messages: list[Outgoing] = []
        async with self:
            for message in wanted:
                self.subscribe(message)
            await self.joined()
            messages += self._messages()
            positioned = all(message.position for message in wanted)
            if wait and positioned and all(message.type == "subscribed" for message in messages):
                messages += await self._after(wait)
        return messages

    async def _after(self, wait: float) -> list[Outgoing]:
        self._news.clear()
        try:
            async with asyncio.timeout(wait):
                await self._news.wait()
        except TimeoutError:
            return []
        return list(self._messages())

    def _messages(self) -> Iterator[Outgoing]:
        size = 0
        while size < MAX_ANSWER and (message := self._next_message()):
            size += len(message.text)
            yield message

    def _send_soon(self) -> None:
        self._news.set()

    def look(self, now: float) -> None:
        """It ends by itself."""


async def poll(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve `/realtime/poll`."""
    try:
        visitor, address = await admit_scope(scope)
        wanted, wait = _asked(await read_body(receive))
        connection = PollConnection(visitor, address)
        messages = await _unless_gone(receive, connection.serve(wanted, wait))
    except (Closed, BadRequest) as why:
        await refuse(send, scope, why)
    except ConnectionResetError:
        return
    else:
        retry_in = 0 if wait else POLL_AGAIN
        answer = {"messages": [orjson.Fragment(message.text) for message in messages], "retry_in": retry_in}
        await respond(send, scope, 200, answer)


async def signal(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve `/realtime/signal`."""
    try:
        visitor, address = await admit_scope(scope)
        message = check_fields(read_object(await read_body(receive)), "signal")
        await PollConnection(visitor, address).signal(message)
    except MessageError as error:
        await refuse(send, scope, BadRequest(str(error), 403 if error.code == "denied" else 400))
    except Closed as why:
        await refuse(send, scope, why)
    except ConnectionResetError:
        return
    else:
        await respond(send, scope, 204)


async def _unless_gone(receive: Receive, work: Any) -> list[Outgoing]:
    """What `work` answers; ConnectionResetError where the client goes away before."""
    working, gone = asyncio.ensure_future(work), asyncio.ensure_future(receive())
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ConnectionResetError
        return list(working.result())
    finally:
        for task in (working, gone):
            task.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


def _asked(body: bytes) -> tuple[list[Message], float]:
    """The subscriptions and the seconds to wait that a body names; BadRequest where it does not."""
    try:
        data = read_object(body)
        subscribe, wait = data.get("subscribe"), data.get("wait", 0)
        if not isinstance(subscribe, list) or not 0 < len(subscribe) <= MAX_SUBSCRIPTIONS:
            raise BadRequest(f'"subscribe" is a list of 1 to {MAX_SUBSCRIPTIONS} subscriptions.')
        if not isinstance(wait, int | float) or isinstance(wait, bool) or not 0 <= wait <= LONGEST_WAIT:
            raise BadRequest(f'"wait" is a number of seconds from 0 to {LONGEST_WAIT:.0f}.')
        if not all(isinstance(one, dict) for one in subscribe):
            raise BadRequest('A subscription is an object, such as {"id": "1", "kind": "timeline"}.')
        wanted = [check_fields(one, "subscribe") for one in subscribe]
    except MessageError as error:
        raise BadRequest(str(error)) from None
    if len({message.id for message in wanted}) < len(wanted):
        raise BadRequest("Each subscription has an id of its own.")
    return wanted, float(wait)
