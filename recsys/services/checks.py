"""What the database and Valkey must be like, asked of the running servers.

The checks run with `migrate` and `check --database default`, and when a command failed because of a service
(`explain`), so that the reader gets a sentence instead of a traceback. Commands that need no service always run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.core.checks import Error, Tags, register
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection

MINIMUM_POSTGRES = 160000
MINIMUM_VECTOR = (0, 8)
MINIMUM_VALKEY = 8
MINIMUM_REDIS = 7
START_HINT = "Start the services with `manage.py up`, or set {variable} to the ones to use."


@register(Tags.database)
def check_services(app_configs: Any = None, databases: Sequence[str] | None = None, **_: Any) -> list[Error]:
    """Every reason why PostgreSQL or Valkey cannot be used, where the command asks about the database."""
    return [*check_postgres(), *check_valkey()] if DEFAULT_DB_ALIAS in (databases or ()) else []


def check_postgres() -> list[Error]:
    """Reachable, new enough, with a pgvector that is new enough."""
    try:
        with connection.cursor() as cursor:
            version: int = connection.connection.info.server_version
            cursor.execute(
                "SELECT coalesce((SELECT extversion FROM pg_extension WHERE extname = 'vector'), default_version) "
                "FROM pg_available_extensions WHERE name = 'vector'"
            )
            found = cursor.fetchone()
    except DatabaseError as error:
        place = f"{settings.DATABASES['default']['HOST'] or 'localhost'}"
        # Several lines, of which the first says what happened and the last may be a mere question.
        reason = " ".join(str(error).split()) or type(error).__name__
        return [
            Error(
                f"PostgreSQL cannot be used at {place}: {reason}",
                hint=START_HINT.format(variable="DATABASE_URL"),
                id="services.E001",
            )
        ]
    errors = []
    if version < MINIMUM_POSTGRES:
        errors.append(Error(f"PostgreSQL is version {version // 10000}; 16 or newer is needed.", id="services.E002"))
    if found is None:
        errors.append(
            Error(
                "PostgreSQL has no pgvector.",
                hint="Install the package of your system, such as postgresql-17-pgvector, on the database server.",
                id="services.E003",
            )
        )
    elif _numbers(found[0]) < MINIMUM_VECTOR:
        hint = "Install a newer pgvector on the database server, then run ALTER EXTENSION vector UPDATE."
        errors.append(Error(f"pgvector is version {found[0]}; 0.8 or newer is needed.", hint=hint, id="services.E004"))
    return errors


def check_valkey() -> list[Error]:
    """Reachable and new enough."""
    parts = urlsplit(settings.REDIS_URL)
    place = parts.hostname or parts.path
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=5) as client:
            info: dict[str, Any] = client.info("server")
    except redis.RedisError as error:
        hint = START_HINT.format(variable="REDIS_URL")
        return [Error(f"Valkey cannot be used at {place}: {error}", hint=hint, id="services.E005")]
    name, minimum = ("valkey", MINIMUM_VALKEY) if "valkey_version" in info else ("redis", MINIMUM_REDIS)
    version = str(info.get(f"{name}_version", "0"))
    if _numbers(version) < (minimum,):
        return [Error(f"{name.title()} is version {version}; {minimum} or newer is needed.", id="services.E006")]
    return []


def explain(error: BaseException) -> str | None:
    """Why a command failed, where it is because of a service; None where it is not."""
    if not isinstance(error, (DatabaseError, redis.RedisError, ConnectionError)):
        return None
    errors = [*check_postgres(), *check_valkey()]
    return "\n".join(f"{found.msg} {found.hint or ''}".strip() for found in errors) or None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
