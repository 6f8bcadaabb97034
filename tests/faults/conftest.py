"""A site whose processes the tests kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.site import Site, running_site


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.fault)


@pytest.fixture(scope="module")
def site(open_directory: Callable[[], Path]) -> Iterator[Site]:
    """One site for all of them: a fault that leaves something behind shows in the next test."""
    with running_site(open_directory() / "data", users=30, items=40, interactions=500) as running:
        yield running
