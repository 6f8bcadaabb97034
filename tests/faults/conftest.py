"""A site whose processes the tests kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.site import Site, running_site


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.fault)


@pytest.fixture(scope="module")
def site(open_directory: Callable[[], Path]) -> Iterator[Site]:
    """One site for all of them: a fault that leaves something behind shows in the next test.

    Its community is so small that all pages of all its readers can be compared.
    """
    with running_site(open_directory() / "data", "--no-demo", settings="tests.faults.settings") as running:
        sizes = {"users": 30, "items": 40, "interactions": 500, "posts": 100}
        running.manage("load_demo", "--no-train", *(f"--{name}={size}" for name, size in sizes.items()))
        yield running


@pytest.fixture(scope="module")
def ask(site: Site) -> Iterator[Callable[..., Any]]:
    """Calls functions of `probe.py`."""
    with site.asking(Path(__file__).parent / "probe.py") as ask:
        yield ask
