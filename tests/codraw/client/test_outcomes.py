"""The handle of an operation: awaited by many, by nobody, settled once."""

from __future__ import annotations

import asyncio

import pytest

from codraw.client.outcomes import Accepted, Asked, Rejected
from tests.support.turns import turns

YES = Accepted(operation_id="1", vector=3)


async def test_the_first_outcome_is_the_outcome() -> None:
    asked = Asked("1")
    assert not asked.outcome
    asked.settle(YES)
    asked.settle(Rejected(operation_id="1", reason="late", message=""))
    assert (await asked, asked.outcome) == (YES, YES)


async def test_it_may_be_awaited_often_and_at_once() -> None:
    asked = Asked("1")

    async def outcome() -> object:
        return await asked

    waiting = [asyncio.create_task(outcome()) for _ in range(3)]
    await turns()
    asked.settle(YES)
    assert [await task for task in waiting] == [YES] * 3


async def test_who_stops_waiting_takes_it_from_nobody() -> None:
    asked = Asked("1")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asked
    asked.settle(YES)
    assert await asked == YES
