"""One client's connection, whatever carries it: who it is, what it subscribes to, and what waits to be sent over it.

Events are not queued one by one: each subscription keeps what is new for its reader (bounded, see `limits.py`), and the
connection, whenever it can take more, gets all of it in one message. So a slow reader costs memory up to a bound. What
says the same becomes one; then it is told to reload; and it is dropped when it takes nothing at all, to come back with
its positions.

`consumers.py`, `sse.py` and `polling.py` carry the messages.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import structlog

from realtime import tokens
from realtime.admission import AWAY, admit
from realtime.closing import Close, Closed
from realtime.hub import SUBSCRIPTIONS, Hub
from realtime.limits import MAX_REPLIES, MAX_SUBSCRIPTIONS
from realtime.messages import Message, MessageError
from realtime.news import News
from realtime.subscription import Outgoing, Subscription
from realtime.subscriptions import Grant, Request
from realtime.visitors import Credentials, Visitor

logger = structlog.get_logger(__name__)


class Connection(ABC):
    """Serves one client during an `async with` block; subclasses carry its messages."""

    __slots__ = ("_end", "_jobs", "_replies", "_serving", "_subscriptions", "address", "hub", "visitor")
    transport = ""

    def __init__(self, visitor: Visitor, address: str) -> None:
        self.hub = Hub.of_running_loop()
        self.visitor = visitor
        self.address = address
        self._subscriptions: dict[str, Subscription] = {}
        self._replies: deque[Outgoing] | None = None
        self._jobs: dict[str, asyncio.Task[None]] | None = None  # of subscriptions that are joined or renewed
        self._serving: asyncio.Task[None] | None = None
        self._end: Closed | None = None

    async def __aenter__(self) -> None:
        """Be one of the hub's connections during the block, which raises Closed where it is to be closed."""
        self._serving = asyncio.current_task()
        self.hub = Hub.of_running_loop()  # the one of before may have gone with its last connection
        try:
            await self.hub.enter(self)
        except BaseException as error:
            await self.__aexit__(type(error), error, None)
            raise

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        # From here on `end` does nothing: what it cancels would stay behind in the hub.
        serving, self._serving = self._serving, None
        if self._end is not None and not isinstance(error, asyncio.CancelledError):
            try:
                await asyncio.sleep(0)  # it was called at the last moment, and its cancellation comes now
            except asyncio.CancelledError as late:
                error = late
        await self._stop()
        # Whoever drains the hub takes its connections' goodbyes for said once they have gone: nothing waits after this.
        await self.hub.exit(self)
        if isinstance(error, asyncio.CancelledError) and self._end is not None and serving is not None:
            # It ends here and not by this cancellation, which time-outs after it would otherwise take for their own.
            serving.uncancel()
            raise self._end from None

    async def _stop(self) -> None:
        subscriptions, self._subscriptions = self._subscriptions, {}  # nobody can renew them any more
        SUBSCRIPTIONS.dec(len(subscriptions))
        for subscription in subscriptions.values():
            self.hub.leave(subscription, subscription.positions)
        if jobs := list((self._jobs or {}).values()):
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    @abstractmethod
    def _send_soon(self) -> None:
        """There is something to send: see `_next_message`. Must not block."""

    # What the hub calls

    def has_news(self, subscription: Subscription) -> None:
        """`subscription` has something to send, or asks to be renewed."""
        if subscription.renewal is not None:
            self._renew_all(subscription.renewal)
        if subscription.has_news:
            self._send_soon()

    def end(self, why: Closed) -> None:
        """Close the connection."""
        if self._end is None and self._serving is not None:
            self._end = why
            self._serving.cancel()

    @abstractmethod
    def look(self, now: float) -> None:
        """Called every few seconds, with the event loop's time: to notice an end that takes nothing, for example."""

    # What the client asks

    def subscribe(self, message: Message) -> None:
        """Begin a subscription; MessageError where that is not possible."""
        if message.id in self._subscriptions:
            raise MessageError(f"There is a subscription {message.id!r} already.", message.id)
        if len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            raise MessageError(f"A connection has at most {MAX_SUBSCRIPTIONS} subscriptions.", message.id, code="limit")
        subscription = Subscription(message.id, message.kind, message.arg)
        self._subscriptions[message.id] = subscription
        SUBSCRIPTIONS.inc()
        self._start_job(subscription, lambda: self._join(subscription, message.position))

    def unsubscribe(self, identifier: str) -> None:
        """End a subscription; MessageError where there is none of this name."""
        if (subscription := self._subscriptions.get(identifier)) is None:
            raise MessageError(f"There is no subscription {identifier!r}.", identifier)
        if job := (self._jobs or {}).get(identifier):
            job.cancel()
        self._drop(subscription)

    async def authenticate(self, token: str) -> None:
        """Be whom an access token says, from now on, or go on being so; Closed where it does not hold."""
        visitor = await admit(self.hub, Credentials(token=token))
        if visitor.user_id != self.visitor.user_id and (self._subscriptions or self.visitor.user_id is not None):
            raise Closed(Close.NOT_LOGGED_IN, "This access token is somebody else's. Open a connection of its own.")
        self.hub.change_visitor(self, visitor)
        left = int(visitor.access.expires_at - time.time()) if visitor.access else 0
        self.reply({"type": "authenticated", "expires_in": left})

    async def signal(self, message: Message) -> None:
        """Say something to the readers of a subscription; MessageError where that is not possible."""
        try:
            said = await self.hub.signal(message, self.visitor.user_id)
        except AWAY as error:
            logger.warning("cannot_signal", error=repr(error))
            return  # nobody keeps it: later it would not be true any more
        if not said:
            raise MessageError(
                f"There is no {message.name!r} to say to {message.kind!r} {message.arg!r}.", code="denied"
            )

    async def joined(self) -> None:
        """Wait until every subscription stands or was denied."""
        while jobs := list((self._jobs or {}).values()):
            await asyncio.wait(jobs)

    def _start_job(self, subscription: Subscription, work: Callable[[], Awaitable[None]]) -> None:
        if self._jobs is None:
            self._jobs = {}
        job = asyncio.create_task(self._run(subscription, work))
        self._jobs[subscription.identifier] = job

    async def _run(self, subscription: Subscription, work: Callable[[], Awaitable[None]]) -> None:
        """Do what a subscription needs, and then, as often as that was asked meanwhile, renew it.

        One after the other: of two at once, the one that knows less might end last.
        """
        try:
            await work()  # begun here: a job may be cancelled before it has begun
            while subscription.renewal is not None and self._holds(subscription):
                position, subscription.renewal = subscription.renewal, None
                await self._ask_again(subscription, position)
        except MessageError as error:
            if self._holds(subscription):
                self._drop(subscription)
                self.reply(error.answer())
        except AWAY as error:
            logger.warning("cannot_subscribe", error=repr(error))
            self.end(Closed(Close.TRY_LATER, "Streams or accounts cannot be read just now."))
        except Exception as error:
            logger.error("subscription_failed", kind=subscription.kind, error=repr(error), exc_info=error)
            self.end(Closed(Close.TRY_LATER, "This subscription could not be made."))
        finally:
            if self._jobs and self._jobs.get(subscription.identifier) is asyncio.current_task():
                del self._jobs[subscription.identifier]
        if self._holds(subscription):
            self.has_news(subscription)

    def _holds(self, subscription: Subscription) -> bool:
        return self._subscriptions.get(subscription.identifier) is subscription

    def _drop(self, subscription: Subscription) -> None:
        del self._subscriptions[subscription.identifier]
        SUBSCRIPTIONS.dec()
        self.hub.leave(subscription, subscription.positions)

    async def _granted(self, subscription: Subscription) -> Grant:
        about = f"{subscription.kind!r} {subscription.arg!r}"
        try:
            grant = await self.hub.grant(subscription.kind, Request(self.visitor.user_id, subscription.arg))
        except AWAY:
            raise
        except Exception as error:
            logger.error("rule_failed", kind=subscription.kind, arg=subscription.arg, exc_info=error)
            message = f"This server failed to find out what {about} is. Its staff can read why."
            raise MessageError(message, subscription.identifier, code="failed") from None
        if grant is None:
            raise MessageError(f"There is nothing to subscribe to as {about}.", subscription.identifier, code="denied")
        return grant

    async def _join(self, subscription: Subscription, token: str) -> None:
        """Join the streams from the position that the client has, or from now."""
        grant = await self._granted(subscription)
        known = tokens.decode(token) or {}
        wanted = {name: known.get(name) for name in grant.names}
        subscription.filters = grant.filters
        found = await self.hub.join(subscription, self, wanted)
        subscription.ready = True
        if (token and None in wanted.values()) or any(part.events is None for part in found.values()):
            subscription.lose({})
            if all(part.events is not None for part in found.values()):
                subscription.renewal = None  # nothing that asks for one can have been among what was lost
        else:
            for name, part in found.items():
                subscription.add(name, News(part.events or ()))
        self._reply(subscription.subscribed_message(token))

    def _renew_all(self, token: str) -> None:
        """Ask the rules of all subscriptions again: one of the streams says that they may answer otherwise now."""
        for subscription in self._subscriptions.values():
            subscription.renewal = token or subscription.renewal or ""
            if subscription.identifier not in (self._jobs or {}):
                self._start_job(subscription, _nothing)

    async def _ask_again(self, subscription: Subscription, token: str) -> None:
        """Ask the rule: join the streams that are new, from `token` where it names them, and leave those it denies."""
        grant = await self._granted(subscription)
        if grant.filters != subscription.filters:
            subscription.filters = grant.filters
            subscription.lose({})
            subscription.renewal = None  # this is it
        for gone in set(subscription.positions) - set(grant.names):
            self.hub.leave(subscription, [gone])
            del subscription.positions[gone]
        if added := [name for name in grant.names if name not in subscription.positions]:
            known = tokens.decode(token) or {}
            found = await self.hub.join(subscription, self, {name: known.get(name) for name in added})
            if any(name not in known or part.events is None for name, part in found.items()):
                subscription.lose({})
            for name, part in found.items():
                subscription.add(name, News(part.events or ()))

    # What is sent

    def reply(self, message: dict[str, Any]) -> None:
        """Answer with a message that is about no position."""
        self._reply(Outgoing(str(message["type"]), orjson.dumps(message).decode(), None))

    def _reply(self, outgoing: Outgoing) -> None:
        if self._replies is None:
            self._replies = deque()
        if len(self._replies) >= MAX_REPLIES:
            self.end(Closed(Close.TOO_SLOW, "Too many answers wait to be taken."))
            return
        self._replies.append(outgoing)
        self._send_soon()

    def _next_message(self) -> Outgoing | None:
        if self._replies:
            outgoing = self._replies.popleft()
            if not self._replies:
                self._replies = None
            return outgoing
        for subscription in self._subscriptions.values():
            if subscription.ready and (message := subscription.take_message()):
                return message
        return None


async def _nothing() -> None:
    """What a renewal alone has to do beforehand."""
