"""Run a bench on services of its own: fresh, durable as in production, and gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from recsys.bench.load import ROOT_VARIABLE
from recsys.services.embedded import EmbeddedServices


def run_on_fresh_services(arguments: Sequence[str]) -> int:
    """Start services, migrate, and run `manage.py` with `arguments` on them; return its exit code."""
    directory = Path(tempfile.mkdtemp(prefix="tributary-bench-"))
    try:
        with EmbeddedServices(directory) as services:
            environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
            environment |= {
                "TRIBUTARY_DATA_DIR": str(directory),
                "DATABASE_URL": services.paths.database_url,
                "REDIS_URL": services.paths.redis_url,
                "CELERY_BROKER_URL": services.paths.broker_url,
                ROOT_VARIABLE: str(os.getpid()),
            }
            _manage(["migrate", "--verbosity", "0"], environment, check=True)
            return _manage(arguments, environment).returncode
    finally:
        shutil.rmtree(directory, ignore_errors=True)


_ELSEWHERE = {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "TRIBUTARY_DATA_DIR"}


def _manage(
    arguments: Sequence[str], environment: dict[str, str], *, check: bool = False
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]
    return subprocess.run(command, env=environment, check=check, stdin=subprocess.DEVNULL)
