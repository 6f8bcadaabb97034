"""The schema: one subscription, which follows the same streams by the same rules as every other way.

There is no introspection: docs/realtime.md has the schema, and what describes it would be the largest answer that a
stranger could ask for.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import FieldNode, GraphQLError, ValidationContext, ValidationRule
from strawberry.extensions import (
    AddValidationRules,
    DisableIntrospection,
    MaskErrors,
    MaxTokensLimiter,
    ParserCache,
    ValidationCache,
)
from strawberry.scalars import JSON
from strawberry.types import ExecutionContext, Info

from realtime import subscriptions
from realtime.graphql.connection import GraphQLConnection
from realtime.messages import MessageError

MAX_TOKENS = 100  # of a document. It bounds its depth too; that of an answer is the schema's
MAX_ALIASES = 4  # of a document: with each of them the same events may be asked for once more
KEPT = 100  # documents that were read, of the last ones: most clients send the same few


@dataclass
class Context:
    """What resolvers know."""

    connection: GraphQLConnection
    connection_params: dict[str, Any] | None = None


@strawberry.interface(description="What a subscription is told.")
class StreamMessage:
    position: str | None = strawberry.field(
        description="Resume from here; null where more of the same follows: keep the old one."
    )


@strawberry.type(description="The subscription stands. What was missed, if anything, comes next.")
class Subscribed(StreamMessage):
    pass


@strawberry.type(description="Apply these in their order; then the position holds.")
class Events(StreamMessage):
    events: list[JSON]


@strawberry.type(description="What was missed cannot be had: load the data anew, and go on from here.")
class Resync(StreamMessage):
    pass


@strawberry.type
class Query:
    @strawberry.field(description="What there is to subscribe to.")
    def kinds(self) -> list[str]:
        return subscriptions.kinds()


@strawberry.type
class Subscription:
    @strawberry.subscription(description="Follow a kind of streams, from a position or from now on.")
    async def stream(
        self, info: Info[Context, None], kind: str, arg: str | None = "", position: str | None = ""
    ) -> AsyncGenerator[StreamMessage, None]:
        # Not a generator: what is denied here is an error of the operation, and not of one of its results.
        with _errors():
            said = info.context.connection.follow({"kind": kind, "arg": arg, "position": position})
            return _typed(await anext(said), said)


async def _typed(
    first: dict[str, Any], rest: AsyncGenerator[dict[str, Any], None]
) -> AsyncGenerator[StreamMessage, None]:
    async with aclosing(rest):
        yield _message(first)
        with _errors():
            async for said in rest:
                yield _message(said)


def _message(said: dict[str, Any]) -> StreamMessage:
    position = said.get("position")
    if said["type"] == "events":
        return Events(position=position, events=said["events"])
    return (Resync if said["type"] == "resync" else Subscribed)(position=position)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except MessageError as error:
        raise GraphQLError(str(error), extensions={"code": error.code}) from None


class FewAliases(ValidationRule):
    """Strawberry's own rule goes into each fragment as often as it is spread, which doubles with each level."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._aliases = 0

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self._aliases += node.alias is not None
        if self._aliases == MAX_ALIASES + 1:
            self.report_error(GraphQLError(f"A document has at most {MAX_ALIASES} aliases.", node))


class Documents(ParserCache):
    """Strawberry's own lets what cannot be parsed escape; here it is parsed, and reported, as without a cache."""

    def on_parse(self) -> Iterator[None]:
        context = self.execution_context
        with suppress(GraphQLError):
            context.graphql_document = self.cached_parse_document(context.query, **context.parse_options)
        yield


def is_fault(error: GraphQLError) -> bool:
    """Whether the program is at fault: of what clients did wrong they are told themselves."""
    return bool(error.path) and not isinstance(error.original_error, GraphQLError)


class _Schema(strawberry.Schema):
    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Log the faults."""
        super().process_errors(list(filter(is_fault, errors)), execution_context)


schema = _Schema(
    query=Query,
    subscription=Subscription,
    types=[Subscribed, Events, Resync],
    extensions=[
        lambda: MaxTokensLimiter(MAX_TOKENS),
        lambda: AddValidationRules([FewAliases]),
        DisableIntrospection,
        lambda: MaskErrors(is_fault, "This server failed to answer. Its staff can read why."),
        lambda: Documents(KEPT),
        lambda: ValidationCache(KEPT),
    ],
)
