"""Run the Celery scheduler that sends the periodic tasks. One at a time is enough; two only do work twice."""

from __future__ import annotations

from typing import Any

from celery.signals import beat_init
from django.core.management.base import BaseCommand

from recsys.celery import app
from recsys.services import heartbeat


class Command(BaseCommand):
    help = __doc__ or ""

    def handle(self, **options: Any) -> None:
        def say_ready(**_: Any) -> None:
            heartbeat.start("beat")

        beat_init.connect(say_ready, weak=False)
        app.start(["--quiet", "beat", "--loglevel=INFO", "--pidfile="])
