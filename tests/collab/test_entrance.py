"""Who waits in front of the store."""

from __future__ import annotations

import asyncio

from collab.entrance import Entrance, Place


async def place(entrance: Entrance, path: str = "/a") -> Place:
    found = await entrance.place(path)
    assert found is not None
    return found


async def test_so_many_are_let_in_at_once_and_the_next_in_order_of_arrival() -> None:
    entrance = Entrance(at_once=2)
    first, _ = await place(entrance), await place(entrance)
    third, fourth = (asyncio.create_task(place(entrance)) for _ in range(2))
    await asyncio.sleep(0)
    assert not third.done()
    first.leave()
    (await third).leave()
    await fourth


async def test_a_place_is_left_once() -> None:
    entrance = Entrance(at_once=1)
    one = await place(entrance)
    one.leave()
    one.leave()
    await place(entrance)
    waiting = asyncio.create_task(entrance.place("/a"))
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_whoever_waits_too_long_is_told_so() -> None:
    entrance = Entrance(at_once=1, patience_s=0)
    taken = await place(entrance)
    assert await entrance.place("/a") is None
    taken.leave()
    await place(entrance)


async def test_one_who_goes_while_waiting_takes_no_place() -> None:
    entrance = Entrance(at_once=1)
    taken = await place(entrance)
    gone = asyncio.create_task(entrance.place("/a"))
    await asyncio.sleep(0)
    gone.cancel()
    taken.leave()
    await place(entrance)


async def test_one_diagram_leaves_places_for_the_others() -> None:
    entrance = Entrance(at_once=3, of_one=2)
    first, _ = await place(entrance), await place(entrance)
    third = asyncio.create_task(place(entrance))
    await asyncio.sleep(0)
    assert not third.done()
    other = await place(entrance, "/b")
    first.leave()
    await third
    other.leave()
    await place(entrance, "/b")
