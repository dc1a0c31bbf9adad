"""What every Bus owes, `collab.ports.Bus` sentence by sentence, where nothing is lost on the way."""

from __future__ import annotations

from typing import Protocol

from collab.ports import Bus
from protocol.values import DiagramId
from tests.contracts.worlds import D

D2 = DiagramId("d2")


class BusWorld(Protocol):
    bus: Bus

    async def settle(self) -> None:
        """Until what was published has arrived."""


class BusContract:
    """A subclass gives the fixture `world`."""

    async def test_news_after_the_subscription_is_heard_own_news_too(self, world: BusWorld) -> None:
        heard: list[bytes | None] = []
        also: list[bytes | None] = []
        await world.bus.publish(D, b"before")
        await world.bus.subscribe(D, heard.append)
        await world.bus.subscribe(D, also.append)
        await world.bus.publish(D, b"one")
        await world.settle()
        await world.bus.publish(D, b"two")
        await world.settle()
        assert heard == also == [b"one", b"two"]

    async def test_news_of_other_diagrams_is_not_heard(self, world: BusWorld) -> None:
        heard: list[bytes | None] = []
        await world.bus.subscribe(D, heard.append)
        await world.bus.publish(D2, b"theirs")
        await world.bus.publish(D, b"ours")
        await world.settle()
        assert heard == [b"ours"]

    async def test_a_closed_subscription_hears_no_more(self, world: BusWorld) -> None:
        heard: list[bytes | None] = []
        kept: list[bytes | None] = []
        subscription = await world.bus.subscribe(D, heard.append)
        await world.bus.subscribe(D, kept.append)
        subscription.close()
        subscription.close()
        await world.bus.publish(D, b"late")
        await world.settle()
        assert (heard, kept) == ([], [b"late"])

    async def test_a_listener_may_close_itself_or_another(self, world: BusWorld) -> None:
        heard: list[str] = []

        def first(news: bytes | None) -> None:
            heard.append("first")
            one.close()
            two.close()

        one = await world.bus.subscribe(D, first)
        two = await world.bus.subscribe(D, lambda news: heard.append("second"))
        await world.bus.publish(D, b"x")
        await world.bus.publish(D, b"y")
        await world.settle()
        assert heard == ["first"]

    async def test_a_failing_listener_harms_neither_publisher_nor_neighbours(self, world: BusWorld) -> None:
        heard: list[bytes | None] = []

        def broken(news: bytes | None) -> None:
            raise ValueError

        await world.bus.subscribe(D, broken)
        await world.bus.subscribe(D, heard.append)
        await world.bus.publish(D, b"x")
        await world.settle()
        assert heard == [b"x"]

    async def test_a_bus_in_good_order_says_so(self, world: BusWorld) -> None:
        assert world.bus.healthy()
