"""Live diagrams of `codraw.client` around one table: a diagram on a real server that everybody may write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Literal

from codraw.client import Backoff, Cell, Event, LiveDiagram, Subscription
from codraw.client import Server as Client
from tests.support.servers import Meeting, Server
from tests.support.turns import PATIENCE_S, until


def soon() -> Backoff:
    """A test does not wait long, and a server that is starting is not asked all the time."""
    return Backoff(first_s=0.02, longest_s=0.1)


class Table:
    """`host` is ana, who is signed in. What is opened here is closed by `over`."""

    def __init__(self, server: Server, host: Client, threat_model: str, diagram: str) -> None:
        self.server, self.host = server, host
        self.threat_model, self.diagram = threat_model, diagram
        self._opened = AsyncExitStack()

    async def client(self, name: str) -> Client:
        return await (await self._opened.enter_async_context(Client(self.server.http))).sign_in_as(name)

    async def seat(self, name: str = "ana", **more: Any) -> LiveDiagram:
        """Somebody who has come and is live."""
        client = self.host if name == "ana" else await self.client(name)
        return await self.seated(client, **more)

    async def seated(
        self, client: Client, *, create: bool = True, encoding: Literal["json", "msgpack"] = "json"
    ) -> LiveDiagram:
        live = client.open(self.threat_model, self.diagram, create=create, encoding=encoding, backoff=soon())
        return await self._opened.enter_async_context(live)

    async def cells(self) -> tuple[int, list[Cell]]:
        """Vector and cells as REST shows them."""
        body = await self.host.diagram(self.threat_model, self.diagram)
        return body["update_vector"], body["cells"]

    async def agreed(self, *diagrams: LiveDiagram) -> list[Cell]:
        """The cells, once nobody has anything pending and all copies are the server's. Fails where they never are."""
        for live in diagrams:
            await live.settled()
        vector, cells = await self.cells()
        for live in diagrams:
            await until(lambda live=live: live.is_live and live.vector >= vector)  # type: ignore[misc]
            assert (live.vector, list(live.cells)) == (vector, cells)
        return cells

    async def over(self) -> None:
        await self._opened.aclose()
        await self.host.close()


@asynccontextmanager
async def seat_at(
    meeting: Meeting, name: str, encoding: Literal["json", "msgpack"] = "json"
) -> AsyncIterator[LiveDiagram]:
    """Somebody who has come to a meeting of editors of all dialects, and is live."""
    async with Client(meeting.server.http) as client:
        await client.sign_in_as(name)
        opened = client.open(meeting.threat_model, meeting.diagram, create=False, encoding=encoding, backoff=soon())
        async with opened as live:
            yield live


async def lay(server: Server) -> Table:
    host = await Client(server.http).sign_in_as("ana")
    model = await host.create_threat_model("table", everyone="writer")
    diagram = await host.create_diagram(model["id"], "diagram")
    return Table(server, host, model["id"], diagram["id"])


async def told(events: Subscription[Any], kind: type[Event]) -> Any:
    """The next event of that kind."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"it ended without {kind.__name__}")
