"""The audience of one room: who is told what, rendered and encoded once for all who listen alike.

1. A notice is rendered once per dialect and side and encoded once per encoding; all those sockets get the same bytes.
2. A socket's first frames are those it is admitted with (WS14); what is sent to it earlier waits for them.
3. What one turn of the event loop has for a socket is given to it in one write: system calls are what fan-out costs.
4. Into the outbox of one who is in a circle nothing goes past what the turn has for it: `Circle.settle` comes first.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from functools import cache, partial
from weakref import WeakValueDictionary

import msgspec

from collab.circle import Circle
from collab.core.events import Barred, Event, Lagged
from collab.outbox import Kind, Outbox, Parcel
from collab.sockets import Frame, nothing
from collab.tally import Tally
from protocol.codec import Encoding, encode
from protocol.dialects import Dialect
from protocol.notices import (
    Accepted,
    AwarenessShown,
    CopyDoubtful,
    Corrected,
    DiagramView,
    Ended,
    Happened,
    Notice,
    Rejected,
    Repaired,
    Resumed,
    ServerFacts,
    Side,
    StateShown,
    Welcomed,
)
from protocol.refusals import Ending
from protocol.values import SocketId, UserId

UNANSWERED = 32
"""So many operations of one socket may wait for their outcome before it is read no further."""

FLUSHED = 1024 * 1024
"""Bytes after which a flush goes on with the next turn: a server copies each of them several times."""

FULL_STATES = frozenset(("diagram_state_sync", "diagram_state", "state"))
"""Messages that show a whole diagram, whatever notice they were made of."""

KINDS: dict[type, Kind] = {
    Happened: Kind.EVENT,
    Corrected: Kind.EVENT,
    CopyDoubtful: Kind.EVENT,
    Resumed: Kind.EVENT,
    Repaired: Kind.EVENT,
    StateShown: Kind.STATE,
    AwarenessShown: Kind.AWARENESS,
}
"""How an outbox treats a notice; what is not listed is kept."""

ANSWERS = (Accepted, Rejected)
CORRECTIONS = (Corrected, CopyDoubtful)
KEPT, JSON = Kind.KEPT, Encoding.JSON
SENDER, OWN, OTHER = Side.SENDER, Side.OWN, Side.OTHER
"""To look a member of an enumeration up takes 0.1 µs."""

RETRY_AFTER_MS = {
    Ending.TOO_MANY_CONNECTIONS: (10_000, 15_000),
    Ending.SESSION_FULL: (10_000, 15_000),
    Ending.FLOODING: (10_000, 15_000),
    Ending.UNAVAILABLE: (2_000, 4_000),
    Ending.RESTART: (500, 3_000),
}
"""When trying again is worth while: those who are sent away together do not all return together."""

UNNAMED = ServerFacts()

Soon = Callable[[Callable[[], None]], object]
Likeness = tuple[Dialect, Encoding]
"""Whoever agrees in both is told in the same bytes."""


class Connected:
    """One socket as its room's audience sees it. `on_end` is called once, when the server begins to close it."""

    __slots__ = (
        "_moved",
        "asked_s",
        "dialect",
        "early",
        "encoding",
        "ending",
        "id",
        "likeness",
        "on_end",
        "outbox",
        "unanswered",
        "user",
    )

    def __init__(self, id: SocketId, user: UserId, dialect: Dialect, encoding: Encoding, outbox: Outbox) -> None:
        self.id = id
        self.user = user
        self.dialect = dialect
        self.encoding = encoding
        self.likeness: Likeness = (dialect, encoding)
        self.outbox = outbox
        self.early: list[Parcel] | None = []
        """What was sent to it before it was admitted; None ever after."""
        self.ending: Ending | None = None
        self.on_end: Callable[[], None] = nothing
        self.unanswered = 0
        self.asked_s: float | None = None
        """When the one operation was read that it waits for."""
        self._moved: asyncio.Future[None] | None = None

    @property
    def crowded(self) -> bool:
        """Whether it is read no further; a socket that is being closed does not wait."""
        return self.unanswered >= UNANSWERED and not self.outbox.closing

    def asked(self) -> None:
        if not self.unanswered:
            self.asked_s = time.monotonic()
        self.unanswered += 1

    def answered(self) -> None:
        self.unanswered -= 1
        if self._moved is not None:
            self._wake()

    def admitted(self) -> None:
        self.early = None
        self._wake()

    async def admission(self) -> None:
        """Waits until it is admitted, or being closed."""
        while self.early is not None and not self.outbox.closing:
            await self._move()

    async def room_for_operation(self) -> None:
        """Waits while `UNANSWERED` operations have no outcome."""
        while self.crowded:
            await self._move()

    def end(self, ended: Ended) -> None:
        """Tells the ending in this socket's dialect and closes it, after all that waits."""
        if ended.retry_after_ms is None:
            ended = msgspec.structs.replace(ended, retry_after_ms=_retry_after_ms(ended.ending))
        farewell = self.dialect.farewell(ended)
        self.ending = ended.ending
        self.on_end()
        self.outbox.end(Parcel(frames(farewell.messages, self.encoding), Kind.KEPT), farewell.code, farewell.reason)
        self._wake()

    async def _move(self) -> None:
        self._moved = asyncio.get_running_loop().create_future()
        await self._moved

    def _wake(self) -> None:
        moved, self._moved = self._moved, None
        if moved is not None and not moved.done():
            moved.set_result(None)


class Fanout:
    """`post` puts an event into the room without waiting; `soon` runs a function in the next turn of the event loop."""

    def __init__(
        self,
        post: Callable[[Event], None],
        server: ServerFacts = UNNAMED,
        soon: Soon | None = None,
        tally: Tally | None = None,
    ) -> None:
        self._post = post
        self._server = server
        self._soon = soon
        self._tally = tally or Tally()
        self._connected: dict[SocketId, Connected] = {}
        self._circles: dict[Likeness, Circle] = {}
        """The audience."""
        self._due: dict[SocketId, Outbox] = {}
        self._scheduled = False
        self._shown: DiagramView | None = None
        self._states: WeakValueDictionary[Hashable, Parcel] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._connected)

    def everybody(self) -> Collection[Connected]:
        """For looking only."""
        return self._connected.values()

    def attach(self, connected: Connected) -> None:
        """From now on it can be sent to, admitted and dismissed; it hears nothing before it is admitted."""
        self._connected[connected.id] = connected
        connected.outbox.on_lag = partial(self._lags, connected.id)
        connected.outbox.on_slow = partial(self._post, Barred(connected.id, Ending.SLOW))

    def detach(self, socket: SocketId) -> Connected | None:
        """Of a socket that is gone; nothing is told."""
        connected = self._connected.pop(socket, None)
        if connected is not None and (circle := self._circle(connected)) is not None:
            circle.leave(socket, connected.user)
        return connected

    def admit(self, socket: SocketId, notices: Iterable[Notice]) -> None:
        """In one step (I8): these notices into its outbox, and the socket into the audience."""
        connected = self._connected.get(socket)
        if connected is None or connected.early is None:
            return
        for notice in notices:
            self._put(connected, self._parcel(connected.likeness, self._completed(connected, notice), Side.SENDER))
        for parcel in connected.early:
            self._put(connected, parcel)
        connected.admitted()
        self._circles.setdefault(connected.likeness, Circle()).enter(socket, connected.user, connected.outbox)

    def hold(self, socket: SocketId) -> None:
        """What it is told waits until its release, in order."""
        connected = self._connected.get(socket)
        if connected is not None:
            connected.outbox.held = True

    def release(self, socket: SocketId) -> None:
        connected = self._connected.get(socket)
        if connected is not None and connected.outbox.held:
            connected.outbox.held = False
            connected.outbox.flush()

    def send(self, socket: SocketId, notice: Notice) -> None:
        connected = self._connected.get(socket)
        if connected is None:
            return
        if isinstance(notice, ANSWERS):
            tally, asked_s = self._tally, connected.asked_s
            tally.judged(connected.dialect.name, notice)
            if asked_s is not None:
                tally.receipts.add(time.monotonic() - asked_s)
                connected.asked_s = None
            connected.answered()
        elif isinstance(notice, CORRECTIONS):
            self._tally.corrections += 1
        parcel = self._parcel(connected.likeness, notice, SENDER)
        if parcel is None:
            return
        if connected.early is not None:
            connected.early.append(parcel)
        elif (circle := self._circle(connected)) is not None:
            self._send(circle, connected, parcel)

    def replay(self, socket: SocketId, notices: Iterable[Notice]) -> None:
        """In one piece: all that a copy lacks, and never a part of it (WS17).

        It counts as a full state does. Its bytes are not shared: behind one that waits it counts as events do (WS12).
        """
        connected = self._connected.get(socket)
        if connected is not None:
            if (circle := self._circle(connected)) is not None:
                circle.settle(socket)
            parcels = (self._parcel(connected.likeness, notice, Side.RESUMED) for notice in notices)
            shown = [frame for parcel in parcels if parcel is not None for frame in parcel.frames]
            kind = Kind.EVENT if connected.outbox.shows else Kind.STATE
            self._put(connected, Parcel(shown, kind) if shown else None)

    def tell(self, notice: Notice, skip: frozenset[SocketId] = frozenset(), by: UserId | None = None) -> None:
        for likeness, circle in self._circles.items():
            own = [socket for socket in circle.of(by) if socket not in skip]
            skipped = [socket for socket in skip if socket in circle]
            heard = len(circle) - len(skipped)
            # Where most sockets are one user's, the others are those who get something else.
            if 2 * len(own) > heard:
                usual, side = OWN, OTHER
                own = [socket for socket in circle if socket not in skip and socket not in circle.of(by)]
            else:
                usual, side = OTHER, OWN
            apart: dict[SocketId, Parcel | None] = dict.fromkeys(skipped)
            if own:
                apart |= dict.fromkeys(own, self._parcel(likeness, notice, side))
            parcel = self._parcel(likeness, notice, usual) if heard > len(own) else None
            self._tally.deliveries[likeness[0].name] += heard
            self._tell(circle, parcel, apart)

    def dismiss(self, socket: SocketId, ended: Ended) -> None:
        """Out of the audience, then the end frames and the close."""
        connected = self.detach(socket)
        if connected is not None:
            connected.end(ended)

    def dismiss_all(self, ended: Ended) -> None:
        for socket in list(self._connected):
            self.dismiss(socket, ended)

    def _lags(self, socket: SocketId) -> None:
        self._tally.lags += 1
        self._post(Lagged(socket))

    def _circle(self, connected: Connected) -> Circle | None:
        circle = self._circles.get(connected.likeness)
        return circle if circle is not None and connected.id in circle else None

    def _tell(self, circle: Circle, parcel: Parcel | None, apart: dict[SocketId, Parcel | None]) -> None:
        if parcel is not None:
            if not circle.has_room(parcel):
                self._due.update(circle.flush())
            circle.tell(parcel, apart)
        else:
            for socket, other in apart.items():
                if other is not None:
                    self._send(circle, self._connected[socket], other)
        self._flush_soon()

    def _send(self, circle: Circle, connected: Connected, parcel: Parcel) -> None:
        if not circle.send(connected.id, parcel):
            self._due[connected.id] = connected.outbox
        self._flush_soon()

    def _put(self, connected: Connected, parcel: Parcel | None) -> None:
        if parcel is not None:
            connected.outbox.put(parcel)
            self._due[connected.id] = connected.outbox
            self._flush_soon()

    def _flush(self) -> None:
        """What comes to much, as where many join at once, is spread over turns: others have their say in between."""
        self._scheduled = False
        for circle in self._circles.values():
            self._due.update(circle.flush())
        given = 0
        while self._due and given < FLUSHED:
            outbox = self._due.pop(next(iter(self._due)))
            before = outbox.given
            outbox.flush()
            given += outbox.given - before
        if self._due:
            self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            (self._soon or asyncio.get_running_loop().call_soon)(self._flush)

    def _completed(self, connected: Connected, notice: Notice) -> Notice:
        """A room knows neither the program it runs in nor how a socket encodes."""
        if isinstance(notice, Welcomed):
            return msgspec.structs.replace(notice, encoding=connected.encoding.value, server=self._server)
        return notice

    def _parcel(self, likeness: Likeness, notice: Notice, side: Side) -> Parcel | None:
        if isinstance(notice, StateShown):
            return self._state(likeness, notice, side)
        return _rendered(likeness, notice, side)

    def _state(self, likeness: Likeness, notice: StateShown, side: Side) -> Parcel | None:
        """One encoding serves all who are shown the same diagram, for as long as one of them has not taken it."""
        if notice.diagram is not self._shown:
            self._shown = notice.diagram
            self._states.clear()
        rest = (getattr(notice, field) for field in notice.__struct_fields__ if field != "diagram")
        key = (likeness, side, *rest)
        parcel = self._states.get(key)
        if parcel is None and (parcel := _rendered(likeness, notice, side)) is not None:
            self._states[key] = parcel
        return parcel


def _retry_after_ms(ending: Ending) -> int | None:
    span = RETRY_AFTER_MS.get(ending)
    return None if span is None else random.randint(*span)  # noqa: S311 - no secret


def frames(messages: Sequence[msgspec.Struct], encoding: Encoding) -> list[Frame]:
    text = encoding is JSON
    return [Frame(encode(message, encoding), text=text) for message in messages]


def _rendered(likeness: Likeness, notice: Notice, side: Side) -> Parcel | None:
    dialect, encoding = likeness
    messages = dialect.render(notice, side)
    if not messages:
        return None
    encoded = frames(messages, encoding)
    whole = [*map(_shows_all, map(type, messages))]
    if True in whole:
        receipt = encoded[1:] if isinstance(notice, Accepted) and whole[0] else ()
        return Parcel(encoded, Kind.STATE, receipt=receipt)
    subject = _subject(notice) if isinstance(notice, AwarenessShown) else None
    return Parcel(encoded, KINDS.get(type(notice), KEPT), subject)


@cache
def _shows_all(kind: type[msgspec.Struct]) -> bool:
    return kind.__struct_config__.tag in FULL_STATES


def _subject(notice: AwarenessShown) -> Hashable:
    """Which parts of which connections it shows."""
    unset = msgspec.UNSET
    return tuple(
        (update.connection_id, update.cursor is unset, update.selection is unset, update.viewport is unset)
        for update in notice.updates
    )
