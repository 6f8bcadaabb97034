"""The product's own processes, as a bench starts them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from recsys.services.processes import spawn, stop

MANAGE = Path(settings.BASE_DIR) / "manage.py"
STOP_TIMEOUT = 20.0


@contextmanager
def product_process(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """`manage.py COMMAND` with this process's settings until the block ends; where that fails, its log is shown."""
    with tempfile.TemporaryFile() as log:
        environment = os.environ | {"LOG_LEVEL": "WARNING"}
        process = spawn([sys.executable, MANAGE, *command], death_signal=signal.SIGKILL, env=environment, output=log)
        try:
            yield process
        except BaseException:
            log.seek(0)
            os.write(2, f"--- {' '.join(command)} ---\n".encode() + log.read()[-10_000:])
            raise
        finally:
            stop(process, signal.SIGTERM, timeout=STOP_TIMEOUT)


def free_port() -> int:
    """A TCP port of localhost that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
