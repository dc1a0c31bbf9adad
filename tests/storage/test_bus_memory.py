"""The bus of one process."""

from __future__ import annotations

import pytest

from storage.bus_memory import MemoryBus, MemoryHub
from tests.contracts.bus import BusContract, D, Ear
from tests.support.turns import turns


class MemoryBusWorld:
    def __init__(self) -> None:
        self.hub = MemoryHub()

    async def join(self) -> MemoryBus:
        bus = MemoryBus(self.hub)
        await bus.start()
        return bus


class TestMemoryBus(BusContract):
    @pytest.fixture
    def world(self) -> MemoryBusWorld:
        return MemoryBusWorld()


async def test_one_worker_is_alone_until_another_comes_and_once_it_has_gone() -> None:
    hub = MemoryHub()
    bus = MemoryBus(hub)
    ear = await Ear().at(bus)
    assert bus.alone
    bus.publish(D, b"to nobody")
    other = MemoryBus(hub)
    assert not bus.alone
    await other.close()
    await other.close()
    assert bus.alone
    await turns()
    assert ear.heard == []


async def test_a_bus_of_its_own_is_alone() -> None:
    assert MemoryBus().alone


async def test_who_publishes_is_not_interrupted_by_what_it_publishes() -> None:
    hub = MemoryHub()
    bus, _ = MemoryBus(hub), MemoryBus(hub)
    ear = await Ear().at(bus)
    bus.publish(D, b"1")
    assert ear.heard == []
    await ear.until(b"1")


async def test_a_gap_is_told_to_all_of_one_worker() -> None:
    hub = MemoryHub()
    bus, other = MemoryBus(hub), MemoryBus(hub)
    told, untold = await Ear().at(bus), await Ear().at(other)
    bus.gap()
    await told.until(None)
    assert untold.heard == []


async def test_a_bus_that_left_hears_nothing() -> None:
    hub = MemoryHub()
    here, there, gone = MemoryBus(hub), MemoryBus(hub), MemoryBus(hub)
    ear, deaf = await Ear().at(there), await Ear().at(gone)
    here.publish(D, b"1")
    await gone.close()
    here.publish(D, b"2")
    await ear.until(b"1", b"2")
    assert deaf.heard == []


async def test_nothing_is_kept_of_those_who_have_left() -> None:
    bus = MemoryBus()
    await (await Ear().at(bus)).close()
    assert not bus._listeners
