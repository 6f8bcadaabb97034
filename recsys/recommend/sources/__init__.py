"""Where candidates come from. A source is one class with one method, and knows nothing of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from recsys.recommend.candidates import Ask, Candidate
from recsys.recommend.sources.collaborative import Collaborative
from recsys.recommend.sources.content import Content
from recsys.recommend.sources.newest import Newest
from recsys.recommend.sources.popular import Popular
from recsys.recommend.sources.trending import Trending


class Source(Protocol):
    """Proposes candidates; an empty answer means that it has nothing to go by."""

    name: str

    def propose(self, ask: Ask) -> Sequence[Candidate]: ...


ALL: dict[str, Source] = {
    source.name: source for source in (Collaborative(), Content(), Trending(), Popular(), Newest())
}
