"""Serve the bare WebSocket application of the bench `sockets`, as `sockets` serves the product's."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from recsys.bench.bare import APPLICATION
from recsys.services.commands import add_listening_arguments, open_listeners
from recsys.services.server import serve_sockets


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: Any) -> None:
        add_listening_arguments(parser, port=8002)

    def handle(self, **options: Any) -> None:
        serve_sockets(open_listeners(options), None, app=APPLICATION)
