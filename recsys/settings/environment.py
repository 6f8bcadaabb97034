"""The environment variables that configure an installation, each with an error that says how to mend it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from recsys.services.paths import ServicePaths


class Environment:
    """Typed access to `os.environ`. Services that it does not name are the embedded ones of `manage.py up`."""

    def __init__(self) -> None:
        self._env = environ.Env()
        self.data_dir = Path(os.environ.get("TRIBUTARY_DATA_DIR", ".data")).resolve()
        self.embedded = ServicePaths(self.data_dir)

    def text(self, name: str, default: str | None = None) -> str:
        """The text of variable `name`; ImproperlyConfigured where it is missing and has no default."""
        value = os.environ.get(name) or default
        if value is None:
            raise ImproperlyConfigured(f"The environment variable {name} is not set, and these settings need it.")
        return value

    def integer(self, name: str, default: int, lowest: int = 0) -> int:
        """A whole number from `lowest` up."""
        raw = os.environ.get(name)
        if not raw:
            return default
        if not raw.strip().isdecimal() or int(raw) < lowest:
            raise ImproperlyConfigured(f"{name}={raw!r} must be a whole number from {lowest} up.")
        return int(raw)

    def list(self, name: str, default: list[str]) -> list[str]:
        """A comma-separated list."""
        raw = os.environ.get(name)
        return [part.strip() for part in raw.split(",") if part.strip()] if raw else default

    def database(self) -> dict[str, Any]:
        """The `DATABASES` entry for `DATABASE_URL`, or the embedded PostgreSQL's."""
        url = self.text("DATABASE_URL", default=self.embedded.database_url)
        config: dict[str, Any] = self._env.db_url_config(url)
        config["CONN_MAX_AGE"] = 0
        # The only way to write a socket's directory that libpq understands too; Django's own tools look at HOST.
        config["HOST"] = config.get("OPTIONS", {}).pop("host", config["HOST"])
        return config

    def redis_url(self) -> str:
        return self.text("REDIS_URL", default=self.embedded.redis_url)

    def broker_url(self) -> str:
        """`CELERY_BROKER_URL`; where only `REDIS_URL` is given, its database beside the caches' one."""
        return self.text("CELERY_BROKER_URL", default=os.environ.get("REDIS_URL") or self.embedded.broker_url)

    def secret_key(self) -> str:
        """`SECRET_KEY`, or one made once and kept in the data directory."""
        if key := os.environ.get("SECRET_KEY"):
            return key
        path = self.data_dir / "secret_key"
        if not path.exists():
            self.data_dir.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(50))
        return path.read_text().strip()
