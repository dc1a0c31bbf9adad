"""One server in a process of its own for all tests of the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.servers import Meeting, Person, Server, meet, sign_in


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
async def ana(server: Server) -> Person:
    return await sign_in(server, "ana")


@pytest.fixture
async def bo(server: Server) -> Person:
    return await sign_in(server, "bo")


@pytest.fixture
async def meeting(ana: Person) -> AsyncIterator[Meeting]:
    """Ana's; everybody may write."""
    meeting = await meet(ana)
    yield meeting
    await meeting.over()


@pytest.fixture
async def lecture(ana: Person) -> AsyncIterator[Meeting]:
    """Ana's; everybody may read."""
    meeting = await meet(ana, "reader")
    yield meeting
    await meeting.over()
