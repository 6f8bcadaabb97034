"""Serve pages, the admin and REST (and realtime connections where no socket server takes them)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from realtime.hub import Hub
from recsys.services import heartbeat
from recsys.services.commands import add_listening_arguments, open_listeners
from recsys.services.server import serve_web


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: Any) -> None:
        add_listening_arguments(parser, port=8000)

    def handle(self, **options: Any) -> None:
        listeners = open_listeners(options)
        heartbeat.start("web")
        serve_web(listeners, options["handover"], drain=Hub.drain)
