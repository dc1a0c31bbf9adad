"""The same test on asyncio's own event loop and on uvloop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import pytest
import uvloop

T = TypeVar("T")
LOOPS = (asyncio.new_event_loop, uvloop.new_event_loop)


def on_both_loops(
    place: Callable[[], AbstractAsyncContextManager[T]],
) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], Callable[..., None]]:
    """Of an async test whose first argument is what `place` makes; the others are the test runner's."""

    def both(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
        async def whole(**others: Any) -> None:
            async with place() as made:
                await test(made, **others)

        def on_one(loop: Callable[[], asyncio.AbstractEventLoop], **others: Any) -> None:
            with asyncio.Runner(loop_factory=loop) as runner:
                runner.run(whole(**others))

        _, *others = inspect.signature(test).parameters.values()
        first = inspect.Parameter("loop", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        on_one.__signature__ = inspect.Signature([first, *others])  # type: ignore[attr-defined]
        on_one.__name__ = test.__name__
        on_one.pytestmark = list(getattr(test, "pytestmark", []))  # type: ignore[attr-defined]
        return pytest.mark.parametrize("loop", LOOPS, ids=("asyncio", "uvloop"))(on_one)

    return both
