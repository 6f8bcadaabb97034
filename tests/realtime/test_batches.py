from __future__ import annotations

import asyncio

import pytest

from realtime import batches
from realtime.batches import Batches, Overloaded


@pytest.fixture
def asked(monkeypatch) -> list[list[int]]:
    monkeypatch.setattr(batches, "PAUSE", 0.2)
    return []


def doubling(asked: list[list[int]]) -> Batches[int, int]:
    def double(numbers):
        asked.append(list(numbers))
        return [2 * number for number in numbers]

    return Batches("numbers", double)


@pytest.mark.django_db
async def test_what_is_asked_meanwhile_goes_together(asked):
    numbers = doubling(asked)
    assert await numbers.ask(1) == 2, "whoever comes alone does not wait"
    assert await asyncio.gather(*(numbers.ask(number) for number in range(10))) == list(range(0, 20, 2))
    assert asked == [[1], list(range(10))]


@pytest.mark.django_db
async def test_a_batch_has_a_bound(asked, monkeypatch):
    monkeypatch.setattr(batches, "MOST", 4)
    numbers = doubling(asked)
    await asyncio.gather(*(numbers.ask(number) for number in range(10)))
    assert [len(part) for part in asked] == [4, 4, 2]


@pytest.mark.django_db
async def test_who_has_gone_is_not_asked_for(asked):
    numbers = doubling(asked)
    await numbers.ask(1)
    gone = asyncio.create_task(numbers.ask(2))
    stays = asyncio.create_task(numbers.ask(3))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == 6
    assert asked == [[1], [3]]


@pytest.mark.django_db
async def test_an_error_is_everybodys_of_the_batch_and_of_no_other(asked):
    def refuse(numbers):
        if 13 in numbers:
            raise ValueError("13")
        return list(numbers)

    numbers = Batches("numbers", refuse)
    await numbers.ask(1)
    answers = await asyncio.gather(numbers.ask(13), numbers.ask(2), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["13", "13"]
    assert await numbers.ask(2) == 2


async def test_more_than_can_wait_are_turned_away(asked, monkeypatch):
    monkeypatch.setattr(batches, "MOST_WAITING", 0)
    with pytest.raises(Overloaded):
        await doubling(asked).ask(1)
