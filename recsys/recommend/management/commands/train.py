from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from recsys.recommend.promotion import TrainingBusyError, TrainingResult
from recsys.recommend.training import train_cf, train_content

TRAININGS: dict[str, Callable[..., TrainingResult]] = {"cf": train_cf, "content": train_content}


class Command(BaseCommand):
    help = "Train the models that serve recommendations, and let the better ones serve."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kinds", nargs="*", type=_kind, metavar="KIND", help="cf or content; both if none is named")
        parser.add_argument("--force", action="store_true", help="also where nothing is new since the last training")

    def handle(self, *args: Any, **options: Any) -> None:
        for kind in options["kinds"] or list(TRAININGS):
            with _Bars() as bars:
                try:
                    result = TRAININGS[kind](force=options["force"], progress=bars.show)
                except TrainingBusyError as error:
                    raise CommandError(str(error)) from error
            self.stdout.write(_describe(result))


def _kind(name: str) -> str:
    """A kind of model, for argparse (whose `choices` refuse the empty list that means all)."""
    if name not in TRAININGS:
        raise ArgumentTypeError(f"{name!r} is no kind of model; there are {' and '.join(TRAININGS)}")
    return name


class _Bars:
    """One progress bar after the other, on standard error, where that is a terminal."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._what = ""

    def __enter__(self) -> _Bars:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, what: str, done: int, total: int) -> None:
        if self._bar is None or what != self._what:
            self.__exit__()
            self._bar = tqdm(desc=what, total=total, file=sys.stderr, disable=None)
            self._what = what
        self._bar.update(done - self._bar.n)


def _describe(result: TrainingResult) -> str:
    if result.version is None:
        return f"{result.kind}: nothing to do. {result.reason}"
    did = "serves now" if result.promoted else "was not promoted"
    figures = ", ".join(f"{name} {value}" for name, value in result.metrics.items() if name.endswith("@20"))
    return f"{result.kind}: version {result.version} {did}. {result.reason}" + (f" ({figures})" if figures else "")
