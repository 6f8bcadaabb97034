"""Serve realtime connections: WebSockets, server-sent events, long polls."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from realtime.hub import Hub
from recsys.services import heartbeat
from recsys.services.commands import add_listening_arguments, open_listeners
from recsys.services.server import serve_sockets


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: Any) -> None:
        add_listening_arguments(parser, port=8001)

    def handle(self, **options: Any) -> None:
        listeners = [] if options["handover"] and options["port"] is None else open_listeners(options)
        heartbeat.start("sockets")
        serve_sockets(listeners, options["handover"], drain=Hub.drain)
