"""A diagram at the shared server for each test, and people around it; a far end that says what it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from codraw.client import LiveDiagram, connect
from tests.support.live import Table, lay, soon
from tests.support.scripted import Line, ScriptedPeer, scripted_peer
from tests.support.servers import Server


@pytest.fixture
async def table(server: Server) -> AsyncIterator[Table]:
    table = await lay(server)
    yield table
    await table.over()


@pytest.fixture
async def peer() -> AsyncIterator[ScriptedPeer]:
    async with scripted_peer() as peer:
        yield peer


async def ticket(wants: str) -> str:
    return f"{wants}-ticket"


@pytest.fixture
async def live(peer: ScriptedPeer) -> AsyncIterator[LiveDiagram]:
    """On its way to the far end."""
    live = connect(peer.url, ticket, backoff=soon())
    live.open()
    yield live
    await live.close(timeout_s=0)


@pytest.fixture
async def line(peer: ScriptedPeer, live: LiveDiagram) -> Line:
    """The far end, which has let `live` in."""
    line = await peer.line()
    await line.welcome()
    await live.ready()
    return line
