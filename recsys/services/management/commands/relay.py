"""Run the relay that hands committed changes from the outbox to the workers. Any number may run."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from recsys.outbox import relay
from recsys.services import heartbeat


class Command(BaseCommand):
    help = __doc__ or ""

    def handle(self, **options: Any) -> None:
        stop = threading.Event()
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: stop.set())
        heartbeat.start("relay", stop)
        relay.run(stop)
