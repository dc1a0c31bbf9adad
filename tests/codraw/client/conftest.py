"""A diagram at the shared server for each test, and people around it; a far end that says what it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.live import Table, lay
from tests.support.scripted import ScriptedPeer, scripted_peer
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
