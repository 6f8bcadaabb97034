from __future__ import annotations

import pytest

from recsys.experiments import parameters
from recsys.experiments.parameters import Parameter, number, weights_of, whole_number


@pytest.fixture
def known_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters of these tests alone, whatever serving declares."""
    monkeypatch.setattr(parameters, "_declared", {})
    sources = weights_of(lambda: ["trending", "cf"])
    parameters.declare(Parameter("weights", "How much each source counts.", sources))
    parameters.declare(Parameter("count", "How many items.", whole_number(1, 50)))
    parameters.declare(Parameter("exploration", "Share of new items.", number(0, 1)))
