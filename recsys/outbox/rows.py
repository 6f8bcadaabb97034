"""What travels from the outbox to a handler, and what a handler may add to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One committed change, leased to a handler. `attempts` counts the executions that began before this one."""

    id: str
    topic: str
    key: str
    type: str
    payload: dict[str, Any]
    attempts: int = 0
    request_id: str | None = None

    def to_message(self) -> list[Any]:
        """The row as JSON in a Celery message; the topic is the task's."""
        return [self.id, self.key, self.type, self.payload, self.attempts, self.request_id]

    @classmethod
    def from_message(cls, topic: str, message: Sequence[Any]) -> Row:
        row_id, key, kind, payload, attempts, request_id = message
        return cls(row_id, topic, key, kind, payload, attempts, request_id)


@dataclass(frozen=True, slots=True)
class Child:
    """A part of a big job, written to the outbox in the transaction that deletes the row that asked for it.

    Children go out in the order of `place`, counted from 0 in each job; those of jobs that run side by side, in turns.

    With `every`, the child is due at the end of the span of so many seconds in which it is written, and in each span
    there is one of its topic, key and type, however many ask for it; the payload is then the first one's.
    """

    topic: str
    key: str
    type: str
    payload: dict[str, Any] = field(default_factory=dict)
    place: int = 0
    every: float = 0.0
