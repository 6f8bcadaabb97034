"""The kind of subscription that the tests of the network use, in the processes of the product."""

from __future__ import annotations

from collections.abc import Sequence

from django.apps import AppConfig

from realtime.subscriptions import Grant, Request, register

KIND = "numbers"
LEASE = 3  # seconds


def stream(name: str) -> str:
    return f"{KIND}:{name}"


def numbers_rule(requests: Sequence[Request]) -> list[Grant | None]:
    """The streams that the argument names, for whoever has logged in."""
    return [
        Grant([stream(name) for name in request.argument.split(",")]) if request.user else None for request in requests
    ]


class Offers(AppConfig):
    name = "tests.faults.realtime"
    label = "offers"

    def ready(self) -> None:
        from recsys.outbox import store

        register(KIND, numbers_rule)
        store.LEASE = LEASE  # what a killed worker had is due again after that
