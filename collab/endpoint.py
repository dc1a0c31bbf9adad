"""The WebSocket edge, bare ASGI: lets somebody in, reads, decodes, posts to the room, and reports how it ended.

1. A room hears `Joined` once and then, whatever happens, `Left` once.
2. The end of a socket cancels nothing of the room.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from secrets import token_hex
from typing import Any, Protocol
from uuid import uuid4

import msgspec

from collab.access.buckets import Bucket
from collab.access.guard import Guard
from collab.access.pause import pause
from collab.core.events import Asked, Barred, Departure, Event, Joined, Left, TokenRenewed
from collab.entrance import Entrance, Place
from collab.fanout import Connected, Fanout
from collab.handshake import Admission, Entry, Handshake, Refused, Scope
from collab.outbox import Outbox
from collab.ports import Clock, StoreUnavailable
from collab.sockets import READY_FRAMES, AsgiSocket, FrameSocket, Message, Socket
from collab.tasks import Tasks
from protocol.codec import Encoding, decode
from protocol.intents import Aware, Edit, Intent, Misedit, Redo, RefreshToken, Resume, Undo
from protocol.notices import Ended, TokenExpiring, Troubled
from protocol.refusals import Ending, ProtocolError, Trouble
from protocol.values import DiagramId, Limits, OperationId, SocketId

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Any], Awaitable[None]]

CLOSE_PATIENCE_S = 5.0
"""So long a peer may take to read what is left for it, once it is being closed."""
UNREADABLE_PER_MINUTE = 50
BURST_S = 2
"""An unused allowance of so many seconds is saved up (WS8)."""
JSON = Encoding.JSON
POINTING = 5
"""Times as often may a socket show its cursor: a mouse speaks up to 500 times a second, and only the newest counts."""

log = logging.getLogger(__name__)


class Room(Protocol):
    """What the edge needs of an open room. Once `closed` it hears nothing more; it has then dismissed all it knew."""

    @property
    def fanout(self) -> Fanout: ...
    @property
    def closed(self) -> bool: ...
    @property
    def full(self) -> bool:
        """Whether an operation would have to wait."""
        ...

    async def post(self, event: Joined | Asked) -> None:
        """Waits while the inbox is full; cancelled, it has posted nothing."""

    def post_now(self, event: Event) -> None:
        """Never waits: for what must not get lost."""

    async def recall(self, resume: Resume) -> Resume:
        """With what the store says of its pending edits."""
        ...


class Rooms(Protocol):
    def hold(self, diagram: DiagramId) -> AbstractAsyncContextManager[Room | None]:
        """The open room, which stays open meanwhile; None: no such diagram. Raises StoreUnavailable."""
        ...


class Endpoint:
    """The ASGI application of `/threat_models/{tm}/diagrams/{d}/ws`. `draining`: nobody is let in any more."""

    def __init__(
        self, handshake: Handshake, rooms: Rooms, guard: Guard, tasks: Tasks, clock: Clock, limits: Limits
    ) -> None:
        self.draining = False
        self.handshake = handshake
        self.rooms = rooms
        self.guard = guard
        self.clock = clock
        self.limits = limits
        self._tasks = tasks
        self._entrance = Entrance()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        place = await self._entrance.place(scope["path"])
        try:
            await self._let_in(place, scope, receive, send)
        finally:
            if place is not None:
                place.leave()

    async def _let_in(self, place: Place | None, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if self.draining:
                raise Refused(503, "unavailable", "The server is restarting.", {"Retry-After": "1"})
            if place is None:
                raise Refused(503, "unavailable", "Too many come at once.", {"Retry-After": "2"})
            entry = await self.handshake.enter(scope)
        except Refused as refused:
            log.info("socket refused: %s %s", refused.status, refused.error)
            await refuse(scope, send, refused)
            return
        try:
            await send({"type": "websocket.accept", "subprotocol": entry.choice.subprotocol})
        except OSError:
            return
        id = SocketId(token_hex(8))
        carrier = (scope.get("extensions") or {}).get(READY_FRAMES)
        if carrier is not None:
            closing = partial(self._tasks.start, f"close {id}")
            await self._accepted(entry, id, place, receive, FrameSocket(carrier, send, closing))
            return
        socket = AsgiSocket(send)
        writer = self._tasks.start(f"socket {id}", socket.run())
        try:
            await self._accepted(entry, id, place, receive, socket)
        finally:
            writer.cancel()

    async def _accepted(self, entry: Entry, id: SocketId, place: Place, receive: Receive, socket: Socket) -> None:
        connected = Connected(id, entry.caller.id, entry.dialect, entry.encoding, Outbox(socket))
        try:
            async with asyncio.timeout(None) as patience:
                connected.on_end = lambda: patience.reschedule(asyncio.get_running_loop().time() + CLOSE_PATIENCE_S)
                await Visit(self, entry, connected, place, receive).run()
        except TimeoutError:
            log.info("socket %s did not read its last frames", id)
        finally:
            if connected.ending is not None:
                log.info("socket %s closed, diagram %s: %s", id, entry.diagram, connected.ending)


class Visit:
    """One socket, from its upgrade to its end."""

    def __init__(self, endpoint: Endpoint, entry: Entry, connected: Connected, place: Place, receive: Receive) -> None:
        self._endpoint = endpoint
        self._clock = endpoint.clock
        self._entry = entry
        self._dialect, self._encoding = entry.dialect, entry.encoding
        self._connected = connected
        self._id = connected.id
        self._place = place
        self._receive = receive
        rate = endpoint.limits.operations_per_second
        now_s = self._clock.now().monotonic_s
        self._operations = Bucket(rate, rate * BURST_S, now_s)
        self._pointings = Bucket(POINTING * rate, POINTING * rate * BURST_S, now_s)
        self._others = Bucket(rate, rate * BURST_S, now_s)
        self._unreadable_at_s: deque[float] | None = None
        self._barred = False

    async def run(self) -> None:
        try:
            ending = await self._take_part()
        except Exception:
            log.exception("socket %s crashed", self._id)
            ending = Ending.RESTART
        if ending is not None:
            self._place.leave()
            self._connected.end(Ended(ending, self._clock.now().wall_ms))
            while (await self._receive())["type"] != "websocket.disconnect":
                pass

    async def _take_part(self) -> Ending | None:
        """Until the end of the socket; or why it may not."""
        admission = await self._endpoint.handshake.admission(self._entry)
        if isinstance(admission, Ending):
            return admission
        try:
            async with self._endpoint.rooms.hold(self._entry.diagram) as room:
                if room is None:
                    return Ending.DIAGRAM_NOT_FOUND
                if room.closed:
                    return Ending.RESTART
                await self._stay(room, admission)
        except StoreUnavailable:
            return Ending.UNAVAILABLE
        return None

    async def _stay(self, room: Room, admission: Admission) -> None:
        room.fanout.attach(self._connected)
        try:
            await room.post(await self._joined(room, admission))
            await self._converse(room)
        finally:
            room.fanout.detach(self._id)

    async def _joined(self, room: Room, admission: Admission) -> Joined:
        entry = self._entry
        resume = None if entry.resume is None else await room.recall(entry.resume)
        return Joined(self._id, entry.caller, admission.role, entry.dialect.name, admission.session, resume)

    async def _converse(self, room: Room) -> None:
        how = Departure.LOST
        self._endpoint.guard.watch(
            self._id,
            self._entry.caller,
            warn=lambda expires_at_ms: room.fanout.send(self._id, TokenExpiring(expires_at_ms)),
            bar=lambda: room.post_now(Barred(self._id, Ending.TOKEN_EXPIRED)),
        )
        try:
            # A room answers those only whom it has admitted.
            await self._connected.admission()
            self._place.leave()
            how = await self._read(room)
        finally:
            self._endpoint.guard.forget(self._id)
            room.post_now(Left(self._id, Departure.SERVER if self._connected.outbox.closing else how))

    async def _read(self, room: Room) -> Departure:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return departure(message)
            if self._barred or self._connected.outbox.closing:
                continue
            intent = self._heard(room, message)
            # A coroutine for each step of an operation, which mostly waits for nothing, is dearer than the steps.
            if intent is not None and not (type(intent) is Edit and self._posted(room, intent)):
                await self._perform(room, intent)

    def _heard(self, room: Room, message: Message) -> Intent | None:
        frame = self._frame(message)
        if isinstance(frame, Ending):
            self._bar(room, frame)
            return None
        dialect, encoding, limits = self._dialect, self._encoding, self._endpoint.limits
        if encoding is JSON and (plain := dialect.plain(frame, limits)) is not None:
            return plain
        try:
            return dialect.read(decode(frame, encoding), limits=limits)
        except ProtocolError as error:
            if self._floods():
                self._bar(room, Ending.FLOODING)
                return None
            misedit = dialect.misread(error)
            if misedit is None:
                self._explain(room, error)
            return misedit

    def _posted(self, room: Room, edit: Edit) -> bool:
        """As `_operate`, unless that would have to wait for something."""
        connected, bucket = self._connected, self._operations
        if connected.crowded or room.full or (bucket.rate and bucket.ask(self._clock.now().monotonic_s)):
            return False
        connected.asked()
        room.post_now(Asked(self._id, edit))
        return True

    def _frame(self, message: Message) -> bytes | Ending:
        """WS4. The size is checked here for servers that have no limit of their own."""
        if self._encoding is JSON:
            text = message.get("text")
            # Not a server's text if it cannot be encoded: the decoder refuses what comes of it.
            frame = None if text is None else text.encode(errors="surrogatepass")
        else:
            frame = message.get("bytes")
        if frame is None:
            return Ending.NOT_TEXT
        return Ending.TOO_BIG if len(frame) > self._endpoint.limits.max_frame_bytes else frame

    def _bar(self, room: Room, ending: Ending) -> None:
        """The room ends it, after what it has been told before; nothing more is read."""
        self._barred = True
        room.post_now(Barred(self._id, ending))

    def _floods(self) -> bool:
        """WS7: one unreadable frame more; whether it is one too many within a minute."""
        now_s = self._clock.now().monotonic_s
        times = self._unreadable_at_s = self._unreadable_at_s or deque(maxlen=UNREADABLE_PER_MINUTE)
        flood = len(times) == UNREADABLE_PER_MINUTE and now_s - times[0] < 60
        times.append(now_s)
        return flood

    def _explain(self, room: Room, error: ProtocolError) -> None:
        room.fanout.send(
            self._id,
            Troubled(error.trouble, error.message, self._clock.now().wall_ms, error.operation_id, ref=error.ref),
        )

    async def _perform(self, room: Room, intent: Intent) -> None:
        match intent:
            case Undo(operation_id=None) | Redo(operation_id=None):
                intent = msgspec.structs.replace(intent, operation_id=OperationId(str(uuid4())))
                await self._operate(room, intent)
            case Edit() | Misedit() | Undo() | Redo():
                await self._operate(room, intent)
            case Aware():
                await self._slow_down(self._pointings)
                await room.post(Asked(self._id, intent))
            case RefreshToken():
                await self._slow_down(self._others)
                await self._renew(room, intent)
            case Resume():
                await self._slow_down(self._others)
                await room.post(Asked(self._id, await room.recall(intent)))
            case _:
                await self._slow_down(self._others)
                await room.post(Asked(self._id, intent))

    async def _operate(self, room: Room, intent: Edit | Misedit | Undo | Redo) -> None:
        await self._slow_down(self._operations)
        await self._connected.room_for_operation()
        self._connected.asked()
        await room.post(Asked(self._id, intent))

    async def _slow_down(self, bucket: Bucket) -> None:
        """WS8: who sends too fast is read more slowly."""
        wait_s = bucket.take(self._clock.now().monotonic_s)
        if wait_s:
            await pause(self._clock, wait_s)

    async def _renew(self, room: Room, asked: RefreshToken) -> None:
        try:
            caller = await self._endpoint.handshake.renewed(self._entry, asked)
        except StoreUnavailable:
            caller = None
        if caller is None:
            now_ms = self._clock.now().wall_ms
            refusal = Troubled(Trouble.INVALID_TOKEN, "the credential proves nothing of you", now_ms, ref=asked.ref)
            room.fanout.send(self._id, refusal)
            return
        self._endpoint.guard.renew(self._id, caller)
        room.post_now(TokenRenewed(self._id, caller, asked.ref))


def departure(message: Message) -> Departure:
    """SES9, SES10: how a socket went, of the last ASGI event.

    A close frame without a code is 1005, and so is, with some servers, a connection cut off; only a real close frame
    comes with a `reason`, be it empty. 1012 without one is the server's own stop.
    """
    code, framed = message.get("code", 1005), "reason" in message
    if code == 1000 or (code == 1005 and framed):
        return Departure.CLEAN
    return Departure.SERVER if code == 1012 and not framed else Departure.LOST


async def refuse(scope: Scope, send: Send, refused: Refused) -> None:
    """Before the upgrade: an HTTP answer, where the server lets us give one; else it makes a bare 403 of the close."""
    try:
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1008, "reason": refused.error})
            return
        headers = {"content-type": "application/json", "cache-control": "no-store", **refused.headers}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "websocket.http.response.start", "status": refused.status, "headers": raw})
        await send({"type": "websocket.http.response.body", "body": refused.body()})
    except OSError:
        # The client did not wait for its answer.
        return
