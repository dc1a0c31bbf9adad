"""One WebSocket of an ASGI application without a network: the test is server and client at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from tests.support.asyncapi import CHANNELS, faults

PATIENCE_S = 20.0

Application = Callable[[Any, Any, Any], Awaitable[None]]


class Line:
    """`got`: every ASGI event of the application. `frames`: the messages among them, decoded, not heard yet; judged."""

    def __init__(
        self,
        application: Application,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        address: str = "192.0.2.1",
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        self.scope: dict[str, Any] = {
            "type": "websocket",
            "path": path,
            "query_string": urlencode(query or {}).encode(),
            "headers": [(b"host", b"diagrams.example"), *((n.encode(), v.encode("latin-1")) for n, v in headers)],
            "subprotocols": list(subprotocols),
            "scheme": "ws",
            "client": (address, 50_000),
            "extensions": {"websocket.http.response": {}} if extensions is None else extensions,
        }
        self.got: list[Mapping[str, Any]] = []
        self.frames: asyncio.Queue[Any] = asyncio.Queue()
        self.faults: list[str] = []
        self.dialect = (query or {}).get("dialect")
        self.gate = asyncio.Event()
        self.gate.set()
        self._said: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._said.put_nowait({"type": "websocket.connect"})
        self._decided = asyncio.Event()
        self.task = asyncio.ensure_future(application(self.scope, self._said.get, self._take))

    async def _take(self, message: Mapping[str, Any]) -> None:
        await self.gate.wait()
        self.got.append(message)
        self._decided.set()
        match message["type"]:
            case "websocket.send" if "text" in message:
                self._put(json.loads(message["text"]))
            case "websocket.send":
                self._put(msgspec.msgpack.decode(message["bytes"]))
            case "websocket.close":
                self._said.put_nowait({"type": "websocket.disconnect", "code": message["code"], "reason": ""})

    def _put(self, frame: Any) -> None:
        self.frames.put_nowait(frame)
        if self.dialect in CHANNELS:
            self.faults += faults(self.dialect, frame)

    async def decided(self) -> Mapping[str, Any]:
        """The first event: an accept or a refusal."""
        async with asyncio.timeout(PATIENCE_S):
            await self._decided.wait()
        return self.got[0]

    async def refusal(self) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, body and headers of a handshake that failed."""
        await self.ended()
        start, body = self.got
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], json.loads(body["body"]), headers

    async def hear(self, *kinds: str) -> Any:
        """The next message, or with `kinds` the next of one of these, the others dropped."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message = await self.frames.get()
                assert self.faults == []
                if not kinds or word(message) in kinds:
                    return message

    def say(self, message: Any) -> None:
        self.say_raw(json.dumps(message))

    def say_raw(self, frame: str | bytes) -> None:
        kind = "text" if isinstance(frame, str) else "bytes"
        self._said.put_nowait({"type": "websocket.receive", kind: frame})

    def leave(self, **how: Any) -> None:
        self._said.put_nowait({"type": "websocket.disconnect", **how})

    async def ended(self) -> int | None:
        """Waits until the application is done with the socket; the code it closed it with, if it did."""
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait((self.task,))
        self.task.result()
        return next((message["code"] for message in self.got if message["type"] == "websocket.close"), None)


def word(message: Mapping[str, Any]) -> str:
    """What kind of message it is."""
    return str(message.get("message_type", message.get("event")))
