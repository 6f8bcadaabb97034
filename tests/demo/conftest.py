from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from recsys.demo.catalogue import generate_catalogue
from recsys.demo.community import Catalogue, People
from recsys.demo.people import generate_people

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def people() -> People:
    return generate_people(np.random.default_rng(1), np.arange(100, 600))


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return generate_catalogue(np.random.default_rng(2), np.arange(1000, 1400), NOW)
