"""Turns of the event loop: what is to happen by itself has happened after a few of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

TURNS = 20
PATIENCE_S = 20.0


async def turns(n: int = TURNS) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Yields until it holds; a condition that never does fails the test at a hang guard."""
    async with asyncio.timeout(patience_s):
        while not condition():  # noqa: ASYNC110 - what is looked at belongs to nobody who could set an event
            await asyncio.sleep(0.001)


async def until_read(condition: Callable[[], Awaitable[bool]], patience_s: float = PATIENCE_S) -> None:
    """The same of what has to be asked for."""
    async with asyncio.timeout(patience_s):
        while not await condition():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
