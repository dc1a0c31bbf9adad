"""What every Bus owes, `collab.ports.Bus` sentence by sentence. What only an outage shows is tested where one can be
made: tests/storage/test_bus_redis_faults.py."""

from __future__ import annotations

import asyncio
from typing import Protocol

from collab.ports import Bus, Subscription
from protocol.values import DiagramId
from tests.support.turns import until

D = DiagramId("d")
OTHER = DiagramId("other")


class BusWorld(Protocol):
    async def join(self) -> Bus:
        """The bus of one more worker."""


class Ear:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[bytes | None] = []
        self.subscription: Subscription | None = None

    def __call__(self, news: bytes | None) -> None:
        self.heard.append(news)

    async def at(self, bus: Bus, diagram: DiagramId = D) -> Ear:
        self.subscription = await bus.subscribe(diagram, self)
        return self

    async def close(self) -> None:
        assert self.subscription is not None
        await self.subscription.close()

    async def until(self, *heard: bytes | None) -> None:
        await until(lambda: len(self.heard) >= len(heard))
        assert self.heard == list(heard)


class BusContract:
    """A subclass gives the fixture `world`."""

    async def test_all_who_subscribed_hear_it_once_whoever_published_among_them(self, world: BusWorld) -> None:
        here, there = await world.join(), await world.join()
        ears = [await Ear().at(here), await Ear().at(there), await Ear().at(there)]
        here.publish(D, b"1")
        there.publish(D, b"2")
        for ear in ears:
            await until(lambda ear=ear: len(ear.heard) >= 2)  # type: ignore[misc]
            assert sorted(news or b"" for news in ear.heard) == [b"1", b"2"]

    async def test_another_diagram_is_not_heard(self, world: BusWorld) -> None:
        here, there = await world.join(), await world.join()
        ear = await Ear().at(there)
        here.publish(OTHER, b"not for D")
        here.publish(D, b"for D")
        await ear.until(b"for D")

    async def test_what_is_published_after_the_confirmation_arrives(self, world: BusWorld) -> None:
        here, there = await world.join(), await world.join()
        for n in range(20):
            diagram = DiagramId(f"d{n}")
            ear = await Ear().at(there, diagram)
            here.publish(diagram, b"%d" % n)
            await ear.until(b"%d" % n)

    async def test_a_closed_subscription_hears_nothing_and_the_one_beside_it_goes_on(self, world: BusWorld) -> None:
        here, there = await world.join(), await world.join()
        closed, kept = await Ear().at(there), await Ear().at(there)
        await closed.close()
        await closed.close()
        here.publish(D, b"1")
        await kept.until(b"1")
        assert closed.heard == []

    async def test_who_closes_while_it_hears_hears_no_more(self, world: BusWorld) -> None:
        here, there = await world.join(), await world.join()
        leaver, stayer = Ear(), Ear()
        closing: list[asyncio.Task[None]] = []

        def hear(news: bytes | None) -> None:
            leaver(news)
            closing.append(asyncio.create_task(leaver.close()))

        leaver.subscription = await there.subscribe(D, hear)
        await stayer.at(there)
        here.publish(D, b"1")
        await stayer.until(b"1")
        await asyncio.gather(*closing)
        here.publish(D, b"2")
        await stayer.until(b"1", b"2")
        assert leaver.heard == [b"1"]

    async def test_one_who_comes_back_hears_again(self, world: BusWorld) -> None:
        here, there = await world.join(), await world.join()
        for n in range(30):
            ear = await Ear().at(there)
            here.publish(D, b"%d" % n)
            await ear.until(b"%d" % n)
            await ear.close()

    async def test_rooms_open_and_close_all_at_once(self, world: BusWorld) -> None:
        here, there = await world.join(), await world.join()

        async def visit(n: int) -> Ear:
            diagram = DiagramId(f"d{n % 7}")
            for _ in range(n % 4):
                await (await Ear().at(there, diagram)).close()
            return await Ear().at(there, diagram)

        ears = await asyncio.gather(*(visit(n) for n in range(60)))
        for n in range(7):
            here.publish(DiagramId(f"d{n}"), b"%d" % n)
        for n, ear in enumerate(ears):
            await ear.until(b"%d" % (n % 7))

    async def test_a_subscriber_that_is_cancelled_leaves_the_others_alone(self, world: BusWorld) -> None:
        here, there = await world.join(), await world.join()
        gone = Ear()
        for turns in range(12):
            attempt = asyncio.create_task(there.subscribe(D, gone))
            for _ in range(turns % 4):
                await asyncio.sleep(0)
            attempt.cancel()
            await asyncio.wait([attempt])
            if not attempt.cancelled():
                await attempt.result().close()
        ear = await Ear().at(there)
        here.publish(D, b"1")
        await ear.until(b"1")
        assert gone.heard == []

    async def test_a_piece_of_news_of_a_mebibyte_arrives_whole(self, world: BusWorld) -> None:
        here, there = await world.join(), await world.join()
        ear = await Ear().at(there)
        large = bytes(range(256)) * 4096
        here.publish(D, large)
        await ear.until(large)

    async def test_where_others_may_listen_it_is_not_alone_and_it_is_sound(self, world: BusWorld) -> None:
        here, there = await world.join(), await world.join()
        assert not here.alone
        assert not there.alone
        await until(lambda: here.healthy() and there.healthy())

    async def test_to_publish_where_nobody_listens_harms_nobody(self, world: BusWorld) -> None:
        here, there = await world.join(), await world.join()
        for _ in range(100):
            here.publish(D, b"nobody")
        ear = await Ear().at(there, OTHER)
        here.publish(OTHER, b"somebody")
        await ear.until(b"somebody")
