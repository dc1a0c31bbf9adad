"""The Bus in memory."""

from __future__ import annotations

import pytest

from storage.bus_memory import MemoryBus
from tests.contracts.bus import BusContract
from tests.contracts.worlds import D


class MemoryBusWorld:
    def __init__(self) -> None:
        self.bus = MemoryBus()

    async def settle(self) -> None:
        pass


class TestMemoryBus(BusContract):
    @pytest.fixture
    def world(self) -> MemoryBusWorld:
        return MemoryBusWorld()


async def test_nothing_is_kept_of_what_nobody_hears() -> None:
    bus = MemoryBus()
    subscription = await bus.subscribe(D, lambda news: None)
    subscription.close()
    assert not bus._hearing
