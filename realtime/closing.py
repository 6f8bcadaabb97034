"""Why connections end, and whether their clients are asked to come back."""

from __future__ import annotations

import random
from enum import IntEnum


class Close(IntEnum):
    """Codes with which a WebSocket is closed; those from 4400 on are this product's."""

    RESTARTING = 1012
    TOO_BIG = 1009
    TRY_LATER = 1013
    BAD_MESSAGE = 4400
    NOT_LOGGED_IN = 4401
    FOREIGN_ORIGIN = 4403
    NO_SUCH_PATH = 4404
    NO_SUCH_PROTOCOL = 4406
    TOO_SLOW = 4408
    TAKEN = 4409
    TOO_MANY = 4429


# Milliseconds after which a client may come back, from and to: spread, because what ends one connection ends many.
_RETRY_IN = {
    Close.RESTARTING: (0, 3_000),
    Close.TRY_LATER: (1_000, 5_000),
    Close.TOO_SLOW: (0, 2_000),
    Close.TOO_MANY: (5_000, 15_000),
}
# What says the same over HTTP.
_STATUS = {
    Close.RESTARTING: 503,
    Close.TRY_LATER: 503,
    Close.BAD_MESSAGE: 400,
    Close.NOT_LOGGED_IN: 401,
    Close.FOREIGN_ORIGIN: 403,
    Close.NO_SUCH_PATH: 404,
    Close.TOO_BIG: 413,
    Close.TOO_MANY: 429,
}


class Closed(Exception):
    """The connection is to end with this code; `retry_in` milliseconds later its client may come back, if at all."""

    def __init__(self, code: Close, reason: str, retry_in: int | None = None) -> None:
        super().__init__(reason)
        self.code = code
        if retry_in is None and code in _RETRY_IN:
            retry_in = random.randint(*_RETRY_IN[code])  # noqa: S311 (it spreads load, and protects nothing)
        self.retry_in = retry_in

    @property
    def status(self) -> int:
        """The status of an HTTP response that says so."""
        return _STATUS.get(self.code, 503)

    def goodbye(self) -> dict[str, object]:
        """The last message over a connection."""
        message: dict[str, object] = {"type": "goodbye", "code": int(self.code), "message": str(self)}
        return message if self.retry_in is None else message | {"retry_in": self.retry_in}
