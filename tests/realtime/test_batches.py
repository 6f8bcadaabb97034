from __future__ import annotations

import asyncio

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError

from realtime import batches
from realtime.batches import Batches, Overloaded, in_database


@pytest.fixture
def asked() -> list[list[int]]:
    return []


def doubling(asked: list[list[int]]) -> Batches[int, int]:
    async def double(numbers):
        asked.append(list(numbers))
        return [2 * number for number in numbers]

    return Batches(double, pause=0.2)


async def test_what_is_asked_meanwhile_goes_together(asked):
    numbers = doubling(asked)
    assert await numbers.ask(1) == 2, "whoever comes alone does not wait"
    assert await asyncio.gather(*(numbers.ask(number) for number in range(10))) == list(range(0, 20, 2))
    assert asked == [[1], list(range(10))]


async def test_a_batch_has_a_bound(asked, monkeypatch):
    monkeypatch.setattr(batches, "MOST", 4)
    numbers = doubling(asked)
    await asyncio.gather(*(numbers.ask(number) for number in range(10)))
    assert [len(part) for part in asked] == [4, 4, 2]


async def test_who_has_gone_is_not_asked_for(asked):
    numbers = doubling(asked)
    await numbers.ask(1)
    gone = asyncio.create_task(numbers.ask(2))
    stays = asyncio.create_task(numbers.ask(3))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == 6
    assert asked == [[1], [3]]


@pytest.mark.parametrize(("error", "hit"), [(ValueError, [False, True, False]), (OperationalError, [True] * 3)])
async def test_a_fault_is_of_those_who_make_it_and_an_outage_everybodys(asked, error, hit):
    async def refuse(numbers):
        if 13 in numbers:
            raise error("13")
        return list(numbers)

    numbers = Batches(refuse, pause=0.2)
    await numbers.ask(1)
    answers = await asyncio.gather(*(numbers.ask(number) for number in (2, 13, 3)), return_exceptions=True)
    assert [isinstance(answer, error) for answer in answers] == hit
    assert await numbers.ask(2) == 2


async def test_more_than_can_wait_are_turned_away(asked, monkeypatch):
    monkeypatch.setattr(batches, "MOST_WAITING", 0)
    with pytest.raises(Overloaded):
        await doubling(asked).ask(1)


async def test_while_one_is_answered_the_next_gather(asked):
    answered = asyncio.Event()

    async def slowly(numbers):
        asked.append(list(numbers))
        await answered.wait()
        return numbers

    numbers = Batches(slowly)
    answers = [asyncio.create_task(numbers.ask(1))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    answers += [asyncio.create_task(numbers.ask(number)) for number in (2, 3)]
    await asyncio.sleep(0)
    answered.set()
    assert await asyncio.gather(*answers) == [1, 2, 3]
    assert asked == [[1], [2, 3]]


@pytest.mark.django_db(transaction=True)
async def test_what_asks_the_database_is_counted():
    def count(what: str) -> float:
        return batches.CALLS.labels(what)._value.get()

    before = count("people")
    assert await in_database("people", get_user_model().objects.count) == 0
    assert count("people") == before + 1
