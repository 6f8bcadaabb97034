"""GraphQL over a WebSocket, by the protocol graphql-transport-ws.

Strawberry's consumer for Channels speaks the protocol and executes operations. Who is let in, what a connection takes
and how it ends is as with every other transport. So of the consumer's own ways there is no channel, because the hub
listens for all of a process; no queue of what arrives, because it has no bound; and no check of the origin, because
admission has a stricter one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Any

from strawberry import UNSET
from strawberry.channels import GraphQLWSConsumer
from strawberry.channels.handlers.ws_handler import ChannelsWebSocketAdapter
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.unset import UnsetType

from realtime.admission import admit_scope
from realtime.asgi_types import Receive, Scope, Send
from realtime.closing import Close, Closed
from realtime.consumers import end_socket
from realtime.graphql.connection import GraphQLConnection
from realtime.graphql.schema import Context, schema
from realtime.limits import MAX_SUBSCRIPTIONS
from realtime.messages import MessageError, check_fields, read_object

INIT_TIMEOUT = timedelta(seconds=10)  # until `connection_init`
LONGEST_ID = 64
LONGEST_DOCUMENT = 4000  # characters


class Carrier(ChannelsWebSocketAdapter):
    """Carries what strawberry hears and says."""

    ws_consumer: GraphQLConsumer

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        while (text := await self.ws_consumer.connection.hear()) is not None:
            try:
                yield check_operation(text)
            except MessageError as error:
                raise Closed(Close.BAD_MESSAGE, str(error)) from None

    async def send_json(self, message: Mapping[str, object]) -> None:
        await self.ws_consumer.connection.say(message)

    async def close(self, code: int, reason: str) -> None:
        self.ws_consumer.connection.end(Closed(Close(code), reason))


class GraphQLConsumer(GraphQLWSConsumer[Context, None]):
    """Serves `/realtime/graphql`. As every socket it is accepted first, so that a refusal can say why."""

    connection: GraphQLConnection
    websocket_adapter_class = Carrier

    def __init__(self) -> None:
        super().__init__(
            schema,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=INIT_TIMEOUT,
            max_subscriptions_per_connection=2 * MAX_SUBSCRIPTIONS,  # queries are among them
            allowed_origins=["*"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        self.scope = scope
        await send({"type": "websocket.accept", "subprotocol": await self.pick_websocket_subprotocol(self)})
        try:
            visitor, address = await admit_scope(scope)
            scope["headers"].clear()
            self.connection = GraphQLConnection(receive, send, visitor, address)
            async with self.connection:
                await self.run(self)
        except Closed as end:
            await end_socket(send, end)

    async def create_websocket_response(self, request: GraphQLWSConsumer, subprotocol: str | None) -> GraphQLWSConsumer:
        return self  # it is accepted

    async def get_context(self, request: GraphQLWSConsumer, response: GraphQLWSConsumer) -> Context:
        return Context(self.connection)

    async def on_ws_connect(self, context: Context) -> UnsetType:
        """Log in with the token of `connection_init`, if it has one."""
        if shown := (context.connection_params or {}).get("token"):
            try:
                message = check_fields({"token": shown}, "authenticate")
            except MessageError as error:
                raise Closed(Close.BAD_MESSAGE, str(error)) from None
            await self.connection.authenticate(message.token)
        return UNSET


def check_operation(text: str) -> dict[str, Any]:
    """The message in `text`, of the types that strawberry takes for granted; MessageError where it is none."""
    message = read_object(text)
    if not _is_operation(message):
        raise MessageError("This is no message of graphql-transport-ws.")
    if message["type"] == "subscribe" and len(message["payload"]["query"]) > LONGEST_DOCUMENT:
        raise MessageError(f"A document has at most {LONGEST_DOCUMENT} characters.")
    return message


def _is_operation(message: dict[str, Any]) -> bool:
    kind, identifier, payload = message.get("type"), message.get("id"), message.get("payload")
    if kind in ("subscribe", "complete") and not (isinstance(identifier, str) and len(identifier) <= LONGEST_ID):
        return False
    if kind != "subscribe":
        return isinstance(kind, str)
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )
