"""Large bodies are read, judged and spelled beside the event loop, so that sockets are served meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.responses import Response

from protocol.cell_list import CellList
from protocol.codec import Encoding, encode

T = TypeVar("T")

LIGHT = 65_536
"""Bytes that the event loop handles itself."""
CELL_BYTES = 256
"""What a cell counts for where its bytes are not at hand."""
PIECE = 100
"""Members of a list that are spelled at once: between two pieces the interpreter is given away."""
_LISTS = (list, tuple)
_LONG = (*_LISTS, CellList)
"""The last is text already, and joined as one piece."""
_pool = ThreadPoolExecutor(2, "large-body")
"""Few: each that computes makes the event loop wait for the interpreter."""


async def beside(size: int, work: Callable[[], T]) -> T:
    """`work()`, in a thread where it is about more than LIGHT bytes; it touches nothing that changes meanwhile."""
    if size <= LIGHT:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_pool, work)


async def large_answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """As `answers.answer`; what is more than LIGHT bytes is spelled in a thread, piece by piece."""
    parts = pieces(body)
    spelled = bytearray()
    for part in parts:
        spelled += part
        if len(spelled) > LIGHT:
            spelled += await beside(len(spelled), lambda: b"".join(parts))
    return Response(bytes(spelled), status, headers, media_type="application/json")


def pieces(value: Any) -> Iterator[bytes]:
    """The JSON of a value, in parts."""
    if isinstance(value, dict) and any(isinstance(member, _LISTS) for member in value.values()):
        yield from _of_object(value)
    elif isinstance(value, _LISTS) and value:
        yield from _of_list(value)
    else:
        yield encode(value, Encoding.JSON)


def _of_object(value: dict[str, Any]) -> Iterator[bytes]:
    before = b"{"
    for name, member in value.items():
        yield before + encode(name, Encoding.JSON) + b":"
        yield from pieces(member)
        before = b","
    yield b"}"


def _of_list(value: list[Any] | tuple[Any, ...]) -> Iterator[bytes]:
    before = b"["
    for at in range(0, len(value), PIECE):
        part = value[at : at + PIECE]
        if not any(_is_long(member) for member in part):
            yield before + encode(part, Encoding.JSON)[1:-1]
            before = b","
            continue
        for member in part:
            yield before
            yield from pieces(member)
            before = b","
    yield b"]"


def _is_long(value: Any) -> bool:
    """A diagram with its cells, among the diagrams of a threat model."""
    return isinstance(value, dict) and any(isinstance(m, _LONG) and len(m) > PIECE for m in value.values())
