"""Leases of seconds, for sites whose workers are killed."""

from __future__ import annotations

from django.apps import AppConfig

LEASE = 10  # seconds: enough for any handler here, and little to wait for


class ShortLeases(AppConfig):
    name = "tests.faults"
    label = "faults"

    def ready(self) -> None:
        from recsys.outbox import store

        store.LEASE = LEASE
