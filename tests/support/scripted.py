"""A peer for clients of codraw.v1 that says and hears just what a test wants; no server behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.support.turns import PATIENCE_S

ANA = {
    "principal_type": "user", "provider": "test", "provider_id": "ana", "email": "a@x.y", "display_name": "Ana",
}  # fmt: skip
NO_CELLS = "0" * 32


class Line:
    """One connection, from the far end."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self.address = connection.request.path if connection.request else ""

    async def say(self, kind: str, /, **more: Any) -> None:
        await self._connection.send(json.dumps({"message_type": kind, **more}))

    async def say_frame(self, frame: str | bytes) -> None:
        await self._connection.send(frame)

    async def hear(self, kind: str) -> dict[str, Any]:
        """The next message of that type."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message: dict[str, Any] = json.loads(await self._connection.recv())
                if message["message_type"] == kind:
                    return message

    async def rest(self) -> tuple[list[dict[str, Any]], int | None]:
        """All that is still said, and the close code."""
        heard = []
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    heard.append(json.loads(await self._connection.recv()))
                except ConnectionClosed as closed:
                    return heard, closed.rcvd.code if closed.rcvd else None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._connection.close(code, reason)

    async def welcome(
        self,
        vector: int = 0,
        who: dict[str, str] | None = None,
        limits: dict[str, int] | None = None,
        presenter: dict[str, str] | None = None,
        term: int = 0,
        missed: Sequence[dict[str, Any]] = (),
        undo: int = 0,
    ) -> None:
        """Lets the client in, as Ana or as `who`, to a diagram without cells; it is live afterwards. `missed`: events
        that it is told instead of the state."""
        session = {"session_id": "s", "threat_model_id": "t", "diagram_id": "d", "host": ANA, "presenter": presenter}
        you = {
            "user": {**ANA, **(who or {})},
            "connection_id": "c",
            "role": "writer",
            "permissions": "writer",
            "is_host": True,
        }
        place = {"epoch": "e", "update_vector": vector, "state_hash": NO_CELLS}
        await self.say(
            "welcome", **place, protocol="codraw.v1", encoding="json", server={"name": "x", "version": "1"},
            server_time="", session={**session, "presenter_term": term},
            you={**you, "token_expires_at": "", "history": {"undo": undo, "redo": 0}},
            durability="disk", limits={"awareness_hz": 100, **(limits or {})}, heartbeat_seconds=15,
        )  # fmt: skip
        if not missed:
            await self.say("state", **place, reason="joined", resend=True, cells=[])
            return
        since = {"from": vector - len(missed), "to": vector, "count": len(missed)}
        await self.say("resumed", epoch="e", **since, state_hash=NO_CELLS)
        for event in missed:
            await self.say("event", **event)


class ScriptedPeer:
    """`statuses`: what the next upgrades are refused with, in the words of `refuses_with`."""

    def __init__(self, port: int) -> None:
        self.url = f"ws://127.0.0.1:{port}/threat_models/t/diagrams/d/ws"
        self.statuses: list[HTTPStatus] = []
        self.refuses_with = '{"error": "no"}'
        self._lines: asyncio.Queue[Line] = asyncio.Queue()

    async def line(self) -> Line:
        """The next connection."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._lines.get()

    def refusal(self, connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(self.statuses.pop(0), self.refuses_with) if self.statuses else None

    async def take(self, connection: ServerConnection) -> None:
        self._lines.put_nowait(Line(connection))
        await connection.wait_closed()


@asynccontextmanager
async def scripted_peer() -> AsyncIterator[ScriptedPeer]:
    peer = ScriptedPeer(0)
    server = await serve(
        peer.take, "127.0.0.1", 0, process_request=peer.refusal, subprotocols=["codraw.v1.json"],  # type: ignore[list-item]
        ping_interval=None, close_timeout=1,
    )  # fmt: skip
    async with server:
        peer.url = ScriptedPeer(server.sockets[0].getsockname()[1]).url
        yield peer
