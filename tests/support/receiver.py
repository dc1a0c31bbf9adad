"""A server that receives webhooks, in the test's own process: what it heard, and answers as the test wants them."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Received:
    path: str
    headers: dict[str, str]
    """By lower-case names."""
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def event(self) -> str:
        return self.headers["x-webhook-event"]

    @property
    def delivery(self) -> str:
        return self.headers["x-webhook-delivery-id"]


Answer = Callable[[Received], bytes | None]
"""The answer as it goes over the wire; None: there is none."""


def answer(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    said = {"content-length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + body


def willing(received: Received) -> bytes:
    """Repeats challenges and takes everything."""
    if received.event == "webhook.challenge":
        return answer(200, json.dumps({"challenge": received.json["challenge"]}).encode())
    return answer(204)


class Receiver:
    """`then` may be changed while it runs; `hold`: it does not end what it has begun to say."""

    def __init__(self, then: Answer = willing) -> None:
        self.then = then
        self.hold = False
        self.received: list[Received] = []
        self.port = 0
        self.under_way = 0
        self.most_at_once = 0
        self._news = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def events(self) -> list[Received]:
        """Without challenges."""
        return [one for one in self.received if one.event != "webhook.challenge"]

    async def until(self, enough: Callable[[], bool]) -> None:
        """Returns when what was received is enough."""
        async with asyncio.timeout(PATIENCE_S):
            while not enough():
                self._news.clear()
                await self._news.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            received = await _request(reader)
            self.received.append(received)
            self._news.set()
            said = self.then(received)
            writer.write(said or b"")
            await writer.drain()
            if said is None or self.hold:
                await reader.read()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self.under_way -= 1
            writer.close()


async def _request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(first.split(" ")[1], headers, body.decode())


@asynccontextmanager
async def receiving(then: Answer = willing, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver(then)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
