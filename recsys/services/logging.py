"""Structured logs: one JSON object a line (or coloured text on a terminal), each with the id of its request.

Nothing personal and no secret gets in: requests are logged by their route and not by their address, and what looks like
a credential is blotted out wherever it stands.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import uuid
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase

HEADER = "X-Request-ID"
FORMATS = ("auto", "json", "console")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
# Long enough for a UUID or a ULID, too short and too plain to smuggle anything into a log.
_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{7,63}", re.ASCII)
_SECRET_NAMES = re.compile(
    r"password|passwd|secret|token|authorization|cookie|credential|email|api_?key", re.IGNORECASE
)
_SECRETS = (
    (re.compile(r"\btrib_([0-9a-f]{1,12})_[0-9a-f]+"), r"trib_\1_…"),
    (re.compile(r"(://[^\s/:@]*):[^\s/@]+@"), r"\1:…@"),
    (re.compile(r"(?i)\b(bearer|basic) [A-Za-z0-9._~+/=-]{8,}"), r"\1 …"),
    # PostgreSQL quotes the row that broke a constraint.
    (re.compile(r"(?m)^(DETAIL|CONTEXT):.*$"), r"\1: …"),
)
Event = MutableMapping[str, Any]

logger = structlog.get_logger(__name__)


def configure_logging(*, form: str = "auto", level: str = "INFO") -> dict[str, Any]:
    """Set structlog up and return Django's `LOGGING`; both kinds of loggers give the same lines, on stderr.

    ImproperlyConfigured where `form` is not one of FORMATS, or `level` not one of LEVELS.
    """
    if form not in FORMATS or level.upper() not in LEVELS:
        allowed = f"LOG_FORMAT is one of {', '.join(FORMATS)}, LOG_LEVEL one of {', '.join(LEVELS)}"
        raise ImproperlyConfigured(f"{allowed}; here they are {form!r} and {level!r}.")
    shared = _processors()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    as_text = form == "console" or (form == "auto" and sys.stderr.isatty())
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [structlog.stdlib.ExtraAdder(), *shared],
        "processors": _renderers(as_text=as_text),
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level.upper()},
        "loggers": {
            # Their own handlers would print each line twice; `request_finished` tells what they would tell.
            "django": {"level": level.upper(), "handlers": [], "propagate": True},
            "django.request": {"level": "ERROR", "propagate": True},
            # Anybody can send a stray Host header, and each would be a traceback; `request_finished` says 400.
            "django.security.DisallowedHost": {"level": "CRITICAL", "propagate": True},
            "django.server": {"level": "WARNING", "handlers": [], "propagate": True},
            "uvicorn": {"level": level.upper(), "handlers": [], "propagate": True},
            "uvicorn.access": {"level": "WARNING", "propagate": True},
            # A line when each task comes and one when it ends; the handlers say what was done.
            "celery.worker.strategy": {"level": "WARNING", "propagate": True},
            "celery.app.trace": {"level": "WARNING", "propagate": True},
        },
    }


def _processors() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _renderers(*, as_text: bool) -> list[Any]:
    drop = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if as_text:
        return [drop, structlog.processors.format_exc_info, blot_secrets, structlog.dev.ConsoleRenderer()]
    return [
        drop,
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
        blot_secrets,
        structlog.processors.JSONRenderer(default=str),
    ]


def blot_secrets(_: Any, __: str, event: Event) -> Event:
    """Replace the values of telling names, and what looks like a credential in any text."""
    event.pop("color_message", None)  # uvicorn's other copy of the event, with codes for a terminal
    for name, value in event.items():
        if _SECRET_NAMES.search(name):
            event[name] = "…"
        elif isinstance(value, str):
            event[name] = blot(value)
    return event


def blot(text: str) -> str:
    """`text` without keys, passwords in addresses, and rows that PostgreSQL quoted."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def choose_request_id(inbound: str | None) -> str:
    """The caller's id where it is well-formed (8 to 64 letters, digits, - and _), else a new one."""
    if inbound and _WELL_FORMED.fullmatch(inbound):
        return inbound
    return uuid.uuid4().hex


def route_of(request: HttpRequest) -> str:
    """The pattern of the address, such as `items/<int:pk>/`: bounded in number, and without anybody's name in it."""
    match = request.resolver_match
    return match.route if match else "(unknown)"


class RequestLogMiddleware:
    """Gives each request its id, in the log, the answer and (through the outbox) the workers, and logs its end."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # A thread serves one request after another, so what the last one bound goes first.
        structlog.contextvars.clear_contextvars()
        request_id = choose_request_id(request.headers.get(HEADER))
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        try:
            response = self.get_response(request)
            response.headers[HEADER] = request_id
            milliseconds = round((time.perf_counter() - started) * 1000, 1)
            logger.log(
                _level(response.status_code),
                "request_finished",
                method=request.method,
                route=route_of(request),
                status=response.status_code,
                ms=milliseconds,
            )
            return response
        finally:
            structlog.contextvars.clear_contextvars()


def _level(status: int) -> int:
    return logging.ERROR if status >= 500 else logging.INFO
