"""Asking the sources, each within its deadline. A slow or failing one is left out, and the trace says so."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import OperationalError, transaction

from recsys.recommend.candidates import Ask, Candidate, bounded
from recsys.recommend.metrics import left_out, source_seconds
from recsys.recommend.sources import Source

logger = logging.getLogger(__name__)

STATEMENT_MS = 250  # a source's statement that takes longer is cancelled by the database
TOTAL_SECONDS = 0.6  # after which no further source is asked


@dataclass
class Gathered:
    """The candidates by source, and why a source is not among them."""

    proposed: dict[str, Sequence[Candidate]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    milliseconds: dict[str, float] = field(default_factory=dict)


def gather(sources: Iterable[Source], ask: Ask) -> Gathered:
    """Ask `sources` in their order."""
    gathered = Gathered()
    began = time.perf_counter()
    with bounded(STATEMENT_MS):
        for source in sources:
            if time.perf_counter() - began > TOTAL_SECONDS:
                _leave_out(gathered, source, "no time left")
                continue
            started = time.perf_counter()
            _ask_one(gathered, source, ask)
            seconds = time.perf_counter() - started
            gathered.milliseconds[source.name] = round(seconds * 1000, 2)
            source_seconds.labels(source.name).observe(seconds)
    return gathered


def _ask_one(gathered: Gathered, source: Source, ask: Ask) -> None:
    try:
        with transaction.atomic():  # a savepoint: what fails in it fails alone
            gathered.proposed[source.name] = source.propose(ask)
    except OperationalError as error:
        timed_out = "statement timeout" in str(error)
        logger.warning("Source %s is left out: %s", source.name, error)
        _leave_out(gathered, source, "too slow" if timed_out else "database error")
    except Exception as error:
        # Whatever is wrong with one source, its reader gets the others' answer. The log has the stack.
        logger.exception("Source %s failed", source.name)
        _leave_out(gathered, source, f"failed: {type(error).__name__}")


def _leave_out(gathered: Gathered, source: Source, reason: str) -> None:
    gathered.left_out[source.name] = reason
    left_out.labels(source.name, reason.split(":")[0]).inc()
