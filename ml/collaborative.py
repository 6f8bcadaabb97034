"""The collaborative models of one matrix, each with the few knobs that matter chosen by what was held out.

The first of the values that are tried is the one that does well on most data, and is kept unless another one beats it
with 95% confidence.

Where the histories have weights (what is recent counts for more), each model takes part twice: once with them, as
`<name>_recent`, and once without; and where times are known, `successors` looks at the order.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml import als, ease, item_graph, popularity, successors
from ml.als import AlsConfig, AlsScorer
from ml.ease import EaseConfig
from ml.item_graph import ItemGraphConfig
from ml.linear import LinearScorer, Unweighted
from ml.metrics import first_unless_beaten, ndcg
from ml.popularity import PopularityScorer
from ml.ranking import top_scored
from ml.scorers import Scorer
from ml.successors import SuccessorsConfig

Floats = NDArray[np.float32]
Say = Callable[[str], None]
Config = TypeVar("Config")
AnyScorer = TypeVar("AnyScorer", bound=Scorer)

K = 20  # recommendations that a choice is judged by


class Clock:
    """Adds up the CPU seconds of each step, and says when one is done."""

    def __init__(self, say: Say) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._say = say

    @contextmanager
    def takes(self, step: str) -> Iterator[None]:
        begun = time.process_time()
        yield
        took = time.process_time() - begun
        self.seconds[step] += took
        self._say(f"{step}: {took:.1f} s of CPU")


@dataclass(frozen=True)
class CollaborativeConfig:
    """What is tried. `als` where there are `many` interactions, else one of `small_als`; the graph with one of
    the `popularity_exponents`; EASE with one of the regularisations, for catalogues of up to `ease_items`. `again`
    epochs lead ALS from the factors of the hold-out to those of all.
    """

    graph: ItemGraphConfig = field(default_factory=ItemGraphConfig)
    popularity_exponents: tuple[float, ...] = (0.3, 0.4, 0.5)
    als: AlsConfig = field(
        default_factory=lambda: AlsConfig(512, unobserved=15.0, regularisation=0.002, epochs=8, cg_steps=3)
    )
    small_als: tuple[AlsConfig, ...] = tuple(
        AlsConfig(64, unobserved=unobserved, regularisation=regularisation)
        for unobserved, regularisation in ((10, 0.01), (30, 0.01), (30, 0.003), (100, 0.003), (10, 0.03), (3, 0.03))
    )
    successors: SuccessorsConfig = field(default_factory=SuccessorsConfig)
    many: int = 300_000
    ease_items: int = 10_000
    ease_regularisations: tuple[float, ...] = (200.0, 50.0, 800.0)
    again: int = 1

    def __post_init__(self) -> None:
        if not (self.popularity_exponents and self.small_als and self.ease_regularisations):
            raise ValueError("popularity_exponents, small_als and ease_regularisations must name at least one each.")
        if self.again < 0:
            raise ValueError(f"again must be at least 0, not {self.again}.")


@dataclass(frozen=True)
class Choices:
    """What each model was trained with; `ease` is None where that takes no part."""

    graph: ItemGraphConfig
    als: AlsConfig
    ease: EaseConfig | None


@dataclass(frozen=True)
class Models:
    """The models of one matrix: `ease` where the catalogue is small enough for it, `successors` where times are known.
    `counts` has how often each item was taken up. ValueError where only one of EASE and its config is there."""

    item_graph: LinearScorer
    ials: AlsScorer
    ease: LinearScorer | None
    counts: PopularityScorer
    successors: LinearScorer | None
    choices: Choices

    def __post_init__(self) -> None:
        if (self.ease is None) != (self.choices.ease is None):
            raise ValueError("EASE and its config are there together, or neither.")

    @property
    def trained(self) -> dict[str, Scorer]:
        """What looks at the items of a history, by name."""
        found: dict[str, Scorer] = {"item_graph": self.item_graph, "ials": self.ials}
        return found | ({"ease": self.ease} if self.ease else {})

    @property
    def parts(self) -> dict[str, Scorer]:
        """What a blend is made of, by name; where times are known, for histories weighted by what is recent."""
        if self.successors is None:
            return self.trained | {"popularity": self.counts}
        plain = {name: Unweighted(one) for name, one in self.trained.items()}
        recent = {f"{name}_recent": one for name, one in self.trained.items()}
        return {**plain, **recent, "successors": self.successors, "popularity": self.counts}


def choose(
    known: sp.csr_matrix,
    judges: NDArray[np.int64],
    held_out: sp.csr_matrix,
    config: CollaborativeConfig,
    rng: np.random.Generator,
    clock: Clock,
    times: sp.csr_matrix | None = None,
) -> Models:
    """Train each model on `known` (n_users, n_items), and `times` of its entries and perhaps more, with what gives the
    best NDCG on what was held out of the users `judges`, `held_out` (n_judges, n_items)."""

    def best(tried: Iterable[tuple[Config, AnyScorer]]) -> tuple[Config, AnyScorer]:
        judged = ((one, ndcg(top_scored(one[1], known[judges], K), held_out)) for one in tried)
        return first_unless_beaten(judged)

    with clock.takes("item_graph"):
        graphs = (replace(config.graph, popularity_exponent=one) for one in config.popularity_exponents)
        graph_config, graph = best((one, item_graph.fit(known, one)) for one in graphs)
    with clock.takes("ials"):
        some = (config.als,) if known.nnz >= config.many else config.small_als
        als_config, factors = best((one, _fit_als(known, one, rng)) for one in some)
    ease_config, linear = None, None
    if known.shape[1] <= config.ease_items:
        with clock.takes("ease"):
            some_ease = (EaseConfig(one) for one in config.ease_regularisations)
            ease_config, linear = best((one, ease.fit(known, one)) for one in some_ease)
    counts, following = popularity.fit(known), _successors(known, times, config, clock)
    return Models(graph, factors, linear, counts, following, Choices(graph_config, als_config, ease_config))


def train_again(
    observed: sp.csr_matrix,
    models: Models,
    config: CollaborativeConfig,
    rng: np.random.Generator,
    clock: Clock,
    times: sp.csr_matrix | None = None,
) -> Models:
    """The same models of `observed` (n_users, n_items), which holds what these have seen and more."""
    choices = models.choices
    with clock.takes("item_graph"):
        graph = item_graph.fit(observed, choices.graph)
    with clock.takes("ials"):
        again = _fit_als(observed, replace(choices.als, epochs=config.again), rng, start=models.ials.items)
        factors = replace(again, config=choices.als)
    linear = None
    if choices.ease:
        with clock.takes("ease"):
            linear = ease.fit(observed, choices.ease)
    counts, following = popularity.fit(observed), _successors(observed, times, config, clock)
    return Models(graph, factors, linear, counts, following, choices)


def _successors(
    observed: sp.csr_matrix, times: sp.csr_matrix | None, config: CollaborativeConfig, clock: Clock
) -> LinearScorer | None:
    if times is None:
        return None
    with clock.takes("successors"):
        return successors.fit(observed, times, config.successors)


def _fit_als(
    observed: sp.csr_matrix, config: AlsConfig, rng: np.random.Generator, start: Floats | None = None
) -> AlsScorer:
    factors = als.fit(observed, config, rng, start=start)
    return AlsScorer(factors.items, factors.unobserved, config)
