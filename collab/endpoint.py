"""The WebSocket edge, bare ASGI: lets somebody in, hears, decodes, posts to the room, and reports how it ended.

1. A room hears `Joined` once and then, whatever happens, `Left` once.
2. The end of a socket cancels nothing of the room.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from secrets import token_hex
from typing import Any, Protocol, get_args
from uuid import uuid4

import msgspec

from collab.access.buckets import Bucket
from collab.access.guard import Guard
from collab.access.pause import pause
from collab.core.events import Asked, Barred, Departure, Event, Joined, Left, TokenRenewed
from collab.core.moderation import ByUser
from collab.entrance import Entrance, Place
from collab.fanout import Connected, Fanout
from collab.handshake import Entry, Handshake, Refused, Scope
from collab.outbox import Outbox
from collab.ports import Clock, StoreUnavailable
from collab.sockets import READY_FRAMES, AsgiSocket, FrameSocket, Message, Socket, nothing
from collab.tally import Tally
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
OPERATIONS = frozenset((Edit, Misedit, Undo, Redo))
SLOW = frozenset((RefreshToken, Resume, *get_args(ByUser)))
"""What the store is asked for first, or the room takes only a few of."""
ANSWER_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
"""Of a refused upgrade, which is an HTTP answer like any other (RE10)."""
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


class Held(Protocol):
    @property
    def room(self) -> Room: ...
    def release(self) -> None:
        """The room need not stay open any longer."""


class Rooms(Protocol):
    async def enter(self, diagram: DiagramId) -> Held | None:
        """The open room, which stays open until it is released; None: no such diagram. Raises StoreUnavailable."""


class Endpoint:
    """The ASGI application of `/threat_models/{tm}/diagrams/{d}/ws`. `draining`: nobody is let in any more."""

    def __init__(
        self,
        handshake: Handshake,
        rooms: Rooms,
        guard: Guard,
        tasks: Tasks,
        clock: Clock,
        limits: Limits,
        tally: Tally | None = None,
    ) -> None:
        self.draining = False
        self.handshake = handshake
        self.rooms = rooms
        self.guard = guard
        self.clock = clock
        self.limits = limits
        self.tasks = tasks
        self.tally = tally or Tally()
        self._start_closing = partial(tasks.start, "close a socket")
        self._entrance = Entrance()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        place = await self._entrance.place(scope["path"])
        try:
            entry = await self._let_in(place, scope, send)
            if place is not None and entry is not None:
                await self._serve(entry, place, scope, receive, send)
        finally:
            if place is not None:
                place.leave()

    async def _let_in(self, place: Place | None, scope: Scope, send: Send) -> Entry | None:
        """Up to the upgrade; None: refused, or gone."""
        try:
            if self.draining:
                raise Refused(503, "unavailable", "The server is restarting.", {"Retry-After": "1"})
            if place is None:
                raise Refused(503, "unavailable", "Too many come at once.", {"Retry-After": "2"})
            entry = await self.handshake.enter(scope)
        except Refused as refused:
            log.info("socket refused: %s %s", refused.status, refused.error)
            self.tally.refused[refused.status] += 1
            await refuse(scope, send, refused)
            return None
        try:
            await send({"type": "websocket.accept", "subprotocol": entry.choice.subprotocol})
        except OSError:
            return None
        return entry

    async def _serve(self, entry: Entry, place: Place, scope: Scope, receive: Receive, send: Send) -> None:
        """Where the server keeps the connection by itself, the visit goes on when this has returned."""
        carrier = (scope.get("extensions") or {}).get(READY_FRAMES)
        if carrier is not None:
            await Visit(self, entry, place, FrameSocket(carrier, send, self._start_closing)).arrive()
            return
        socket = AsgiSocket(receive, send)
        visit = Visit(self, entry, place, socket)
        writer = self.tasks.start(f"socket {visit.id}", socket.run())
        try:
            await visit.arrive()
            await socket.read()
        finally:
            visit.finish(Departure.LOST)
            writer.cancel()


class Visit:
    """One socket, from its upgrade to its end. It waits for what comes in no task: of thousands nearly all are idle."""

    __slots__ = (
        "_barred",
        "_connected",
        "_cut",
        "_dialect",
        "_encoding",
        "_endpoint",
        "_entry",
        "_held",
        "_joined",
        "_operations",
        "_others",
        "_over",
        "_performing",
        "_place",
        "_pointings",
        "_socket",
        "_unreadable_at_s",
        "id",
    )

    def __init__(self, endpoint: Endpoint, entry: Entry, place: Place, socket: Socket) -> None:
        self._endpoint = endpoint
        self._entry = entry
        self._dialect, self._encoding = entry.dialect, entry.encoding
        self._socket = socket
        self.id = SocketId(token_hex(8))
        self._connected = Connected(self.id, entry.caller.id, entry.dialect, entry.encoding, Outbox(socket))
        self._place = place
        rate, now_s = endpoint.limits.operations_per_second, endpoint.clock.now().monotonic_s
        self._operations = Bucket(rate, rate * BURST_S, now_s)
        self._pointings = Bucket(POINTING * rate, POINTING * rate * BURST_S, now_s)
        self._others = Bucket(rate, rate * BURST_S, now_s)
        self._unreadable_at_s: deque[float] | None = None
        self._held: Held | None = None
        """The room, while this socket has part in it."""
        self._joined = False
        self._barred = False
        self._performing: asyncio.Task[None] | None = None
        """Something that has to wait, and all that comes after it with it."""
        self._cut: asyncio.TimerHandle | None = None
        self._over = False

    # coming and going -------------------------------------------------------------------------------------------------

    async def arrive(self) -> None:
        """Until it is admitted, or sent away; from then on it listens."""
        ending, patience = None, asyncio.timeout(None)
        try:
            async with patience:
                self._connected.on_end = lambda: patience.reschedule(_in_a_while())
                ending = await self._arrive()
        except Exception:
            if patience.expired():
                self._is_deaf()
                return
            log.exception("socket %s crashed", self.id)
            self._leave(Departure.LOST)
            ending = Ending.RESTART
        except BaseException:
            self.finish(Departure.LOST)
            raise
        self._place.leave()
        self._connected.on_end = self._expect_end
        if self._connected.ending is not None:
            self._expect_end()
        elif ending is not None:
            self._end(ending)
        self._socket.listen(self.hear)

    async def _arrive(self) -> Ending | None:
        """Or why it may not."""
        entry, endpoint = self._entry, self._endpoint
        admission = await endpoint.handshake.admission(entry)
        if isinstance(admission, Ending):
            return admission
        if endpoint.draining:
            # The rooms have been closed, and nobody would close another one.
            return Ending.RESTART
        try:
            self._held = held = await endpoint.rooms.enter(entry.diagram)
        except StoreUnavailable:
            return Ending.UNAVAILABLE
        if held is None:
            return Ending.DIAGRAM_NOT_FOUND
        room = held.room
        if room.closed:
            return Ending.RESTART
        room.fanout.attach(self._connected)
        resume = None if entry.resume is None else await room.recall(entry.resume)
        await room.post(Joined(self.id, entry.caller, admission.role, entry.dialect.name, admission.session, resume))
        self._joined = True
        endpoint.guard.watch(self.id, entry.caller, warn=self._warn, bar=self._expire)
        # A room answers those only whom it has admitted.
        await self._connected.admission()
        return None

    def finish(self, how: Departure) -> None:
        """However it ended, and once."""
        if self._over:
            return
        self._over = True
        self._leave(how)
        if self._cut is not None:
            self._cut.cancel()
        if self._performing is not None:
            self._performing.cancel()
            self._performing = None
        self._connected.on_end = nothing
        self._socket.finish()
        ending = self._connected.ending
        self._endpoint.tally.closes[(how if ending is None else ending).value] += 1
        if ending is not None:
            log.info("socket %s closed, diagram %s: %s", self.id, self._entry.diagram, ending)

    def _leave(self, how: Departure) -> None:
        """Whatever happens: a room that is not released stays for ever."""
        held, self._held = self._held, None
        if held is None:
            return
        try:
            self._endpoint.guard.forget(self.id)
            if self._joined:
                held.room.post_now(Left(self.id, Departure.SERVER if self._connected.outbox.closing else how))
            held.room.fanout.detach(self.id)
        except Exception:
            log.exception("socket %s crashed as it left", self.id)
        finally:
            held.release()

    def _end(self, ending: Ending) -> None:
        """Unless the room has sent it away already."""
        if self._connected.ending is None:
            self._connected.end(Ended(ending, self._endpoint.clock.now().wall_ms))

    def _expect_end(self) -> None:
        self._cut = asyncio.get_running_loop().call_at(_in_a_while(), self._is_deaf)

    def _is_deaf(self) -> None:
        log.info("socket %s did not read its last frames", self.id)
        self.finish(Departure.LOST)

    def _warn(self, expires_at_ms: int) -> None:
        if self._held is not None:
            self._held.room.fanout.send(self.id, TokenExpiring(expires_at_ms))

    def _expire(self) -> None:
        if self._held is not None:
            self._held.room.post_now(Barred(self.id, Ending.TOKEN_EXPIRED))

    # listening --------------------------------------------------------------------------------------------------------

    def hear(self, message: Message) -> bool:
        """An event of the server; False: it is over, or what comes next has to wait."""
        if message["type"] == "websocket.disconnect":
            self.finish(departure(message))
            return False
        if self._held is None or self._barred or self._connected.outbox.closing:
            return True
        room = self._held.room
        try:
            intent = self._heard(room, message)
            if intent is None or self._posted(room, intent):
                return True
        except Exception:
            self._crash()
            return True
        self._performing = self._endpoint.tasks.start(f"socket {self.id}", self._perform(room, intent))
        return False

    def _crash(self) -> None:
        log.exception("socket %s crashed", self.id)
        self._leave(Departure.LOST)
        self._end(Ending.RESTART)

    def _heard(self, room: Room, message: Message) -> Intent | None:
        frame = self._frame(message)
        if isinstance(frame, Ending):
            self._bar(room, frame)
            return None
        dialect, encoding, limits = self._dialect, self._encoding, self._endpoint.limits
        if encoding is JSON and (plain := dialect.plain(frame, limits)) is not None:
            return plain
        try:
            return _named(dialect.read(decode(frame, encoding), limits=limits))
        except ProtocolError as error:
            if self._floods():
                self._bar(room, Ending.FLOODING)
                return None
            misedit = dialect.misread(error)
            if misedit is None:
                self._explain(room, error)
            return misedit

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
        room.post_now(Barred(self.id, ending))

    def _floods(self) -> bool:
        """WS7: one unreadable frame more; whether it is one too many within a minute."""
        now_s = self._endpoint.clock.now().monotonic_s
        times = self._unreadable_at_s = self._unreadable_at_s or deque(maxlen=UNREADABLE_PER_MINUTE)
        flood = len(times) == UNREADABLE_PER_MINUTE and now_s - times[0] < 60
        times.append(now_s)
        return flood

    def _explain(self, room: Room, error: ProtocolError) -> None:
        now_ms = self._endpoint.clock.now().wall_ms
        troubled = Troubled(error.trouble, error.message, now_ms, error.operation_id, ref=error.ref)
        room.fanout.send(self.id, troubled)

    # performing -------------------------------------------------------------------------------------------------------

    def _posted(self, room: Room, intent: Intent) -> bool:
        """As `_perform`, unless that would have to wait for something: a task for what mostly does not is dearer than
        all its steps."""
        kind, bucket = type(intent), self._bucket(intent)
        if kind in SLOW or room.full or (kind in OPERATIONS and self._connected.crowded):
            return False
        if bucket.rate and bucket.ask(self._endpoint.clock.now().monotonic_s):
            return False
        if kind in OPERATIONS:
            self._connected.asked()
        room.post_now(Asked(self.id, intent))
        return True

    async def _perform(self, room: Room, intent: Intent) -> None:
        try:
            # WS8: who sends too fast is read more slowly.
            if wait_s := self._bucket(intent).take(self._endpoint.clock.now().monotonic_s):
                await pause(self._endpoint.clock, wait_s)
            await self._performed(room, intent)
        except Exception:
            self._crash()
        self._performing = None
        self._socket.listen(self.hear)

    async def _performed(self, room: Room, intent: Intent) -> None:
        match intent:
            case Edit() | Misedit() | Undo() | Redo():
                await self._connected.room_for_operation()
                self._connected.asked()
            case RefreshToken():
                await self._renew(room, intent)
                return
            case Resume():
                intent = await room.recall(intent)
        await room.post(Asked(self.id, intent))

    def _bucket(self, intent: Intent) -> Bucket:
        kind = type(intent)
        return self._operations if kind in OPERATIONS else self._pointings if kind is Aware else self._others

    async def _renew(self, room: Room, asked: RefreshToken) -> None:
        try:
            caller = await self._endpoint.handshake.renewed(self._entry, asked)
        except StoreUnavailable:
            caller = None
        if caller is None:
            now_ms = self._endpoint.clock.now().wall_ms
            refusal = Troubled(Trouble.INVALID_TOKEN, "the credential proves nothing of you", now_ms, ref=asked.ref)
            room.fanout.send(self.id, refusal)
            return
        self._endpoint.guard.renew(self.id, caller)
        room.post_now(TokenRenewed(self.id, caller, asked.ref))


def _named(intent: Intent) -> Intent:
    """An undo or redo of a dialect that gives these no id."""
    if isinstance(intent, Undo | Redo) and intent.operation_id is None:
        return msgspec.structs.replace(intent, operation_id=OperationId(str(uuid4())))
    return intent


def _in_a_while() -> float:
    return asyncio.get_running_loop().time() + CLOSE_PATIENCE_S


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
        headers = {"content-type": "application/json", **ANSWER_HEADERS, **refused.headers}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "websocket.http.response.start", "status": refused.status, "headers": raw})
        await send({"type": "websocket.http.response.body", "body": refused.body()})
    except OSError:
        # The client did not wait for its answer.
        return
