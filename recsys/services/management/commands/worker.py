"""Run a Celery worker."""

from __future__ import annotations

import os
import signal
import warnings
from typing import Any

from celery.exceptions import SecurityWarning
from celery.signals import worker_process_init, worker_ready
from django.core.management.base import BaseCommand

from recsys.celery import app
from recsys.services import heartbeat
from recsys.services.commands import positive
from recsys.services.processes import die_with_parent


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--concurrency", type=positive, default=2, help="processes that run tasks (%(default)s)")
        parser.add_argument("--queues", default="", help="comma-separated queues to take from (all that tasks use)")

    def handle(self, **options: Any) -> None:
        parent = os.getpid()

        def tie_to_worker(**_: Any) -> None:
            """Without it the pool's processes would outlive a worker that is killed."""
            die_with_parent(signal.SIGKILL, parent)

        def say_ready(**_: Any) -> None:
            heartbeat.start("worker")

        worker_process_init.connect(tie_to_worker, weak=False)
        worker_ready.connect(say_ready, weak=False)
        # Celery discourages root because of pickle, which is switched off here.
        warnings.filterwarnings("ignore", category=SecurityWarning)
        arguments = ["--quiet", "worker", "--pool=prefork", "--loglevel=INFO"]
        arguments.append(f"--concurrency={options['concurrency']}")
        # Workers have nothing to ask one another at start, and asking takes a second.
        arguments += ["--without-gossip", "--without-mingle", f"--hostname=worker-{parent}@%h"]
        app.worker_main([*arguments, *([f"--queues={options['queues']}"] if options["queues"] else [])])
