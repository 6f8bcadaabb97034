"""Where an installation keeps its things: a pure function of the data directory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ServicePaths:
    """Paths and addresses of the embedded services that belong to one data directory.

    Sockets live under a short hashed path: the kernel limits a socket's path to 104-108 bytes, and a data
    directory may lie deep.
    """

    data_dir: Path

    @property
    def run_dir(self) -> Path:
        digest = hashlib.sha256(str(self.data_dir.resolve()).encode()).hexdigest()[:12]
        # Created with mode 0700, and its owner is checked, before anything is put there (embedded.py).
        return Path("/tmp") / f"tributary-{digest}"  # noqa: S108

    @property
    def lock_file(self) -> Path:
        return self.data_dir / "lock"

    @property
    def log_dir(self) -> Path:
        return self.data_dir / "logs"

    @property
    def secret_key_file(self) -> Path:
        return self.data_dir / "secret_key"

    @property
    def metrics_dir(self) -> Path:
        """Where the processes of one run count together."""
        return self.data_dir / "metrics"

    @property
    def welcome_file(self) -> Path:
        """What `manage.py up` prints beside the address: the demo's logins, where there is a demo."""
        return self.data_dir / "welcome"

    @property
    def postgres_dir(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def valkey_socket(self) -> Path:
        return self.run_dir / "valkey.sock"

    @property
    def handover_socket(self) -> Path:
        """Where `web` hands connections for the realtime prefix to `sockets`."""
        return self.run_dir / "handover.sock"

    def postgres_url(self, database: str) -> str:
        return f"postgres://tributary@/{database}?host={self.run_dir}"

    @property
    def database_url(self) -> str:
        return self.postgres_url("tributary")

    def valkey_url(self, db: int) -> str:
        return f"unix://{self.valkey_socket}?db={db}"

    @property
    def redis_url(self) -> str:
        return self.valkey_url(0)

    @property
    def broker_url(self) -> str:
        return self.celery_url(1)

    def celery_url(self, db: int) -> str:
        """The same server as kombu spells it."""
        return f"redis+socket://{self.valkey_socket}?virtual_host={db}"
