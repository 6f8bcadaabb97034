"""The environment variables that configure an installation, each with an error that says how to mend it."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from recsys.services.paths import ServicePaths

DATABASE_SCHEMES = ("postgres", "postgresql")
REDIS_SCHEMES = ("redis", "rediss", "unix")
BROKER_SCHEMES = ("redis", "rediss", "redis+socket", "amqp", "amqps")
EMAIL_SCHEMES = ("smtp", "smtp+tls", "smtp+ssl", "consolemail")
TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class Environment:
    """Typed access to `os.environ`. Services that it does not name are the embedded ones of `manage.py up`."""

    def __init__(self) -> None:
        self.data_dir = Path(os.environ.get("TRIBUTARY_DATA_DIR") or ".data").resolve()
        self.embedded = ServicePaths(self.data_dir)

    def text(self, name: str, default: str | None = None) -> str:
        """The text of variable `name`; ImproperlyConfigured where it is missing and has no default."""
        value = os.environ.get(name) or default
        if value is None:
            raise ImproperlyConfigured(f"The environment variable {name} is not set, and these settings need it.")
        return value

    def require(self, **examples: str) -> None:
        """ImproperlyConfigured that names each of these variables that is not set, with what to write there."""
        missing = [f"  {name}: {example}" for name, example in examples.items() if not os.environ.get(name)]
        if missing:
            raise ImproperlyConfigured("Set these environment variables:\n" + "\n".join(missing))

    def names(self, name: str, default: list[str]) -> list[str]:
        """A comma-separated list; ImproperlyConfigured where it is set and names nothing."""
        raw = os.environ.get(name)
        if not raw:
            return default
        if not (parts := [part.strip() for part in raw.split(",") if part.strip()]):
            raise ImproperlyConfigured(
                f"{name} is {raw!r}, which names nothing; separate names by commas, or unset it."
            )
        return parts

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """One of `allowed`."""
        value = self.text(name, default)
        if value not in allowed:
            raise ImproperlyConfigured(f"{name} is {value!r}; write one of {', '.join(allowed)}.")
        return value

    def number(self, name: str, default: int, *, minimum: int = 0) -> int:
        """A whole number from `minimum` up."""
        raw = os.environ.get(name) or str(default)
        if not re.fullmatch(r"[0-9]{1,9}", raw) or int(raw) < minimum:
            raise ImproperlyConfigured(f"{name} is {raw!r}; it must be a whole number from {minimum} up.")
        return int(raw)

    def flag(self, name: str, default: bool) -> bool:
        """A yes or no."""
        raw = (os.environ.get(name) or str(default)).lower()
        if raw not in TRUE + FALSE:
            raise ImproperlyConfigured(f"{name} is {raw!r}; write one of {', '.join(TRUE + FALSE)}.")
        return raw in TRUE

    def origins(self, name: str) -> list[str]:
        """A comma-separated list of origins such as https://example.org."""
        origins = self.names(name, default=[])
        for origin in origins:
            if not re.fullmatch(r"https?://[^/\s]+", origin):
                raise ImproperlyConfigured(
                    f"{name} holds {origin!r}; an origin is a scheme and a host, such as https://example.org."
                )
        return origins

    def database(self) -> dict[str, Any]:
        """The `DATABASES` entry for `DATABASE_URL`, or the embedded PostgreSQL's."""
        url = self._url(
            "DATABASE_URL", self.embedded.database_url, DATABASE_SCHEMES, "postgres://user:password@host:5432/name"
        )
        config: dict[str, Any] = environ.Env.db_url_config(url)
        options = config.setdefault("OPTIONS", {})
        # The only way to write a socket's directory that libpq understands too; Django's own tools look at HOST.
        config["HOST"] = options.pop("host", config["HOST"])
        options.setdefault("connect_timeout", 5)
        if not config["NAME"]:
            raise ImproperlyConfigured("DATABASE_URL names no database; write postgres://user:password@host:5432/name.")
        # Every process has few threads, and each keeps its connection; one that broke is noticed before it is used.
        config["CONN_MAX_AGE"] = self.number("DATABASE_CONNECTION_AGE", 60)
        config["CONN_HEALTH_CHECKS"] = True
        return config

    def redis_url(self) -> str:
        """Where caches, streams and wake-ups live."""
        url = self._url("REDIS_URL", self.embedded.redis_url, REDIS_SCHEMES, "redis://host:6379/0")
        parts = urlsplit(url)
        # What the client would silently take for database 0.
        if parts.scheme != "unix" and not re.fullmatch(r"/?[0-9]*", parts.path):
            raise ImproperlyConfigured(
                f"REDIS_URL ends in {parts.path!r}; databases have numbers, such as redis://host:6379/0."
            )
        return url

    def broker_url(self) -> str:
        """`CELERY_BROKER_URL`; where only `REDIS_URL` is given, that one."""
        shared = os.environ.get("REDIS_URL")
        if shared and shared.startswith("unix://"):
            shared = shared.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=", 1)
        default = shared or self.embedded.broker_url
        return self._url(
            "CELERY_BROKER_URL", default, BROKER_SCHEMES, "redis://host:6379/1 or amqp://user:password@host//"
        )

    def email(self) -> dict[str, Any]:
        """The EMAIL_* settings for `EMAIL_URL`; without it, e-mail is written to the log."""
        url = self._url("EMAIL_URL", "consolemail://", EMAIL_SCHEMES, "smtp+tls://user:password@host:587")
        return dict(environ.Env.email_url_config(url))

    def secret_key(self) -> str:
        """`SECRET_KEY`, or one made once and kept in the data directory."""
        if key := os.environ.get("SECRET_KEY"):
            return key
        path = self.embedded.secret_key_file
        try:
            if not path.exists():
                self._make_secret_key(path)
            return path.read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(
                f"SECRET_KEY is not set, and a key of its own cannot be kept in {path}: {error}. "
                "Set SECRET_KEY to a long random text, or TRIBUTARY_DATA_DIR to a directory that this user may change."
            ) from error

    @staticmethod
    def _make_secret_key(path: Path) -> None:
        """Several processes may come here at once: all must end with the same key, and none may read half of one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as scratch:  # mode 0600
            scratch.write(secrets.token_urlsafe(50))
            scratch.flush()
            with contextlib.suppress(FileExistsError):
                os.link(scratch.name, path)

    def _url(self, name: str, default: str, schemes: tuple[str, ...], example: str) -> str:
        url = self.text(name, default)
        try:
            parts = urlsplit(url)
            scheme, _ = parts.scheme, parts.port
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} is no valid address ({error}); write it like {example}.") from error
        if scheme not in schemes:
            raise ImproperlyConfigured(
                f"{name} begins with {scheme or 'no scheme'!r}, but must begin with one of {', '.join(schemes)}; "
                f"such as {example}."
            )
        return url
