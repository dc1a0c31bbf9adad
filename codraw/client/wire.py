"""One WebSocket after another: dials, listens for silence, and comes back where coming back is of use."""

from __future__ import annotations

import asyncio
from typing import Any, Literal, Protocol

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from codraw.client.errors import CodrawError
from codraw.client.returning import Backoff, Loss, after_close, after_handshake, after_refusal
from collab.tasks import Tasks
from protocol.codec import Encoding
from protocol.dialects.codraw_v1_messages import Goodbye

MAX_BYTES = 64 * 1024 * 1024
"""Of one frame from the server: full states are larger than what it takes (OP23)."""
PATIENCE_S = 30.0
DIAL_S = 15.0
CLOSE_S = 5.0
TOO_LATE = 3
"""So many tickets in a row may be for a session that has ended meanwhile; then it is over (S80)."""

State = Literal["closed", "connecting", "live", "offline", "refused"]
Wants = Literal["connect", "reauthenticate"]


class Listener(Protocol):
    """Whom the wire serves."""

    async def address(self, wants: Wants) -> str:
        """Where to dial, the ticket included; takes the time it needs, since who is asked may ask for patience.

        Raises CodrawError; refusals by status are a clear no.
        """
        ...

    def heard(self, frame: str | bytes) -> None: ...

    def lost(self) -> None:
        """The connection is gone."""
        ...

    def changed(self) -> None:
        """The state is another one."""
        ...


class Wire:
    """`closed` → `connecting` → `live` (said by `ready`); a loss leads to `offline` and, after a while, to `connecting`
    again, or to `refused` where returning is of no use. `why` explains the last two."""

    def __init__(self, listener: Listener, encoding: Encoding, backoff: Backoff, tasks: Tasks) -> None:
        self.state: State = "closed"
        self.why: Loss | None = None
        self.retry_in_s: float | None = None
        self.patience_s = PATIENCE_S
        """A peer that sends nothing for so long is taken for gone."""
        self._listener, self._encoding, self._backoff, self._tasks = listener, encoding, backoff, tasks
        self._running: asyncio.Task[None] | None = None
        self._socket: ClientConnection | None = None
        self._outbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._goodbye: Goodbye | None = None
        self._cause: Loss | None = None
        self._wants: Wants = "connect"
        self._live_since: float | None = None
        self._too_late = 0
        self._now = asyncio.Event()
        self._is_leaving = False

    def open(self) -> None:
        """Connects: from `offline` at once, after `closed` and `refused` anew."""
        self._now.set()
        self._is_leaving = False
        if self._running is None or self._running.done():
            self._running = self._tasks.start("client wire", self._run())

    def ready(self) -> None:
        """The other side and we agree again."""
        self._wants = "connect"
        self._too_late = 0
        self._live_since = asyncio.get_running_loop().time()
        self._become("live")

    def send(self, frame: bytes) -> bool:
        """False: there is no connection (a loss may not have been told yet)."""
        if self._socket is None:
            return False
        self._outbox.put_nowait(frame)
        return True

    def goodbye(self, message: Goodbye) -> None:
        """The other side explains the close that follows."""
        self._goodbye = message

    def cut(self, reason: str = "cut", message: str = "the connection was cut") -> None:
        """Loses the connection as bad weather would; it comes back by itself."""
        if self._socket is not None:
            self._cause = Loss(reason, message)
            self._socket.transport.abort()

    async def close(self) -> None:
        """Leaves for good, with a close frame after all that was sent."""
        running = self._running
        if running is not None and not running.done():
            if self._socket is not None:
                self._is_leaving = True
                self._outbox.put_nowait(None)
                await asyncio.wait([running], timeout=2 * CLOSE_S)
            running.cancel()
            await asyncio.wait([running])
        self.leave()

    def leave(self) -> None:
        """The same at once, and without a close frame."""
        if self._running is not None:
            self._running.cancel()
        if self.state != "refused":
            self._become("closed")

    def fail(self, reason: str, message: str) -> None:
        """There is no going on."""
        if self._running is not None:
            self._running.cancel()
        if self.state not in ("closed", "refused"):
            self._become("refused", Loss(reason, message, policy="no"))

    async def _run(self) -> None:
        while True:
            self._become("connecting")
            self._live_since = None
            loss = await self._connection()
            if self._is_leaving:
                return
            if loss.policy == "no" and not self._came_too_late(loss):
                self._become("refused", loss)
                return
            if loss.policy == "reauthenticate":
                self._wants = "reauthenticate"
            delay_s = self._backoff.delay_s(loss, self._lived_s())
            self._become("offline", loss, delay_s)
            await self._pause(delay_s)

    def _came_too_late(self, loss: Loss) -> bool:
        """The session that the ticket was for has just ended: whether there is another one the next ticket says."""
        if loss.reason != "session_not_found" or self._goodbye is None or self._live_since is not None:
            return False
        self._too_late += 1
        return self._too_late <= TOO_LATE

    def _lived_s(self) -> float:
        """An attempt that takes long to fail was no good connection."""
        return 0.0 if self._live_since is None else asyncio.get_running_loop().time() - self._live_since

    async def _pause(self, delay_s: float) -> None:
        self._now.clear()
        try:
            async with asyncio.timeout(delay_s):
                await self._now.wait()
        except TimeoutError:
            pass

    async def _connection(self) -> Loss:
        """One connection from its beginning to its end."""
        try:
            address = await self._listener.address(self._wants)
            self._goodbye = self._cause = None
            self._socket = await self._dial(address)
        except CodrawError as error:
            return after_refusal(error)
        except InvalidStatus as refused:
            answer = refused.response
            after_s = _seconds(answer.headers.get("Retry-After"))
            return after_handshake(answer.status_code, after_s, is_ours=_is_ours(bytes(answer.body or b"")))
        except InvalidURI:
            # Never in its own words: the address holds the ticket.
            return Loss("invalid_address", "this is no address of a live diagram", policy="no")
        except InvalidHandshake as error:
            return Loss("unreachable", f"no WebSocket answers there ({type(error).__name__})")
        except (OSError, TimeoutError) as error:
            return Loss("unreachable", str(error) or "no answer in time")
        try:
            return await self._conversation(self._socket)
        finally:
            self._socket = None
            self._listener.lost()

    async def _dial(self, address: str) -> ClientConnection:
        return await connect(
            address,
            subprotocols=[Subprotocol(f"codraw.v1.{self._encoding}")],
            compression=None,
            max_size=MAX_BYTES,
            open_timeout=DIAL_S,
            close_timeout=CLOSE_S,
            # The server pings; heartbeats that stay out tell of its loss.
            ping_interval=None,
        )

    async def _conversation(self, socket: ClientConnection) -> Loss:
        self._outbox = asyncio.Queue()
        writing = self._tasks.start("client writer", self._write(socket, self._outbox))
        try:
            await self._read(socket)
        except TimeoutError:
            return Loss("silent", "the server has fallen silent")
        except ConnectionClosed:
            pass
        finally:
            writing.cancel()
            socket.transport.abort()  # where it is still open: nobody waits for the answer to a close frame
        return self._cause or after_close(socket.close_code, socket.close_reason or "", self._goodbye)

    async def _read(self, socket: ClientConnection) -> None:
        now = asyncio.get_running_loop().time
        async with asyncio.timeout(self.patience_s) as silence:
            async for frame in socket:
                self._listener.heard(frame)
                silence.reschedule(now() + self.patience_s)

    async def _write(self, socket: ClientConnection, outbox: asyncio.Queue[bytes | None]) -> None:
        try:
            while (frame := await outbox.get()) is not None:
                await socket.send(frame, text=self._encoding is Encoding.JSON)
        except ConnectionClosed:
            return
        await socket.close(1000)

    def _become(self, state: State, why: Loss | None = None, retry_in_s: float | None = None) -> None:
        self.state, self.why, self.retry_in_s = state, why, retry_in_s
        self._listener.changed()


def _is_ours(body: bytes) -> bool:
    """Whether a refusal speaks as the server does."""
    try:
        return "error" in msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        return False


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdigit() else None
