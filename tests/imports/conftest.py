from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.imports.report import Report
from recsys.imports.run import ImportOptions, run_import

REAL_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
Import = Callable[..., Report]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write text or bytes to a file of that name; `.gz` is compressed."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


@pytest.fixture
def load(write: Callable[..., Path], db: None) -> Import:
    """Import text under a format: `load("items", "items.csv", text)`; more options as in `ImportOptions`."""

    def load(format: str, name: str, content: str | bytes, **options: bool) -> Report:
        report = Report()
        run_import(ImportOptions(format, write(name, content), **options), report)
        return report

    return load


def bad(report: Report) -> list[tuple[int, str, str]]:
    """(line, field, reason) of each fault."""
    return [(row.line, row.field, row.reason) for row in report.first]
