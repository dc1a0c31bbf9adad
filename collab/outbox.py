"""The bounded queue of one socket (WS12).

1. What waits is at most `BOUND` bytes of the socket's own frames; full states, whose bytes many sockets share, are not
   counted, but at most `STATES` of them wait; of what resumes show one is not counted.
2. Receipts, notes and end frames are delivered or the socket is closed; events are delivered in order, or a full state
   takes the place of all that waited; cursors may be dropped.
3. Only as much is given to the socket as it can pass on now: the rest can still be replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from enum import Enum, auto

from collab.sockets import HANDOVER, LACKING, Batch, Frame, Socket, nothing

BOUND = 1024 * 1024
STATES = 3


class Kind(Enum):
    EVENT = auto()
    """News of the diagram: a full state makes those waiting before it superfluous."""
    STATE = auto()
    """A full state, or all that a copy lacks to be one."""
    KEPT = auto()
    """Receipts, rosters, errors: nothing else replaces them."""
    AWARENESS = auto()
    """Cursors and selections: latest wins, first to be dropped."""


STATE = Kind.STATE
"""To look a member of an enumeration up takes 0.1 µs."""


class Parcel:
    """The frames of one notice, as every socket of one dialect, encoding and side gets them.

    `subject` says what an AWARENESS parcel is about: a later one about the same replaces it. `receipt`: the last frames
    of a STATE parcel, if they stay where the state gives way to another.
    """

    __slots__ = ("__weakref__", "frames", "kind", "receipt", "size", "subject", "weight")

    def __init__(
        self, frames: Sequence[Frame], kind: Kind, subject: Hashable = None, receipt: Sequence[Frame] = ()
    ) -> None:
        self.frames = frames
        self.kind = kind
        self.subject = subject
        self.receipt = receipt
        self.size = len(frames[0].payload) if len(frames) == 1 else sum([len(frame.payload) for frame in frames])
        self.weight = 0 if kind is STATE else self.size


class Phase(Enum):
    FLOWING = auto()
    LAGGING = auto()
    """Events were thrown away and go on being thrown away until a full state comes; nothing goes out before it."""
    RECOVERING = auto()
    """That state is on its way; another overflow before all is drained is one too many."""
    SLOW = auto()
    """Given up: only the end frames go out."""
    ENDING = auto()


FLOWING = Phase.FLOWING


class Outbox:
    """`on_lag` must ask for one fresh full state, `on_slow` for the end of the socket, and neither may act at once."""

    __slots__ = (
        "_awareness",
        "_bound",
        "_buffered",
        "_close",
        "_passing",
        "_phase",
        "_socket",
        "_waiting",
        "_weight",
        "held",
        "on_lag",
        "on_slow",
    )

    def __init__(self, socket: Socket, bound: int = BOUND) -> None:
        self._socket = socket
        self._buffered = socket.buffered
        socket.drained = self._drained
        self._bound = bound
        self.on_lag: Callable[[], None] = nothing
        self.on_slow: Callable[[], None] = nothing
        self._phase = Phase.FLOWING
        self._waiting: list[Parcel] = []
        self._awareness: dict[Hashable, Parcel] = {}
        self._weight = 0
        self._close: tuple[int, str] | None = None
        self._passing: list[Parcel] = []
        """States that the socket is passing on: for as long, whoever else is to be shown one finds it."""
        self.held = False
        """While it is, nothing goes out before the end frames."""

    @property
    def closing(self) -> bool:
        """Whether the server has decided to end the socket."""
        return self._phase is Phase.ENDING or self._phase is Phase.SLOW

    @property
    def weight(self) -> int:
        """Bytes that wait and count."""
        return self._weight

    @property
    def shows(self) -> bool:
        """Whether a full state waits, or what a copy lacks to be one."""
        return any(parcel.kind is Kind.STATE for parcel in self._waiting)

    @property
    def given(self) -> int:
        """Bytes that the socket has and did not pass on yet."""
        return self._socket.buffered()

    def put(self, parcel: Parcel) -> None:
        """Queues; goes out with the next `flush`."""
        if self._phase is not Phase.FLOWING and not self._takes(parcel.kind):
            return
        match parcel.kind:
            case Kind.AWARENESS:
                self._replace(parcel)
            case Kind.STATE:
                self._put_state(parcel)
            case _:
                self._waiting.append(parcel)
        self._weight += parcel.weight
        if self._weight > self._bound:
            self._relieve()

    def pass_on(self, batch: Batch) -> bool:
        """What comes after all that was put, at once, if nothing is in its way; else it has to be put."""
        if self._phase is not FLOWING or self._waiting or self._awareness or self.held or self._buffered() >= HANDOVER:
            return False
        pass_on = self._socket.pass_on
        if pass_on is None:
            self._socket.write(batch)
            return True
        try:
            pass_on(batch.wire)
        except (OSError, RuntimeError):
            self._socket.close(*LACKING)
        return True

    def flush(self) -> None:
        """Gives the socket what it can pass on now."""
        if self.held and self._close is None:
            return
        # What is kept while events are lacking waits for the state: a receipt out of order would be a gap (WS15).
        while self._waiting and self._phase is not Phase.LAGGING and (room := HANDOVER - self._socket.buffered()) > 0:
            taken = self._take(room)
            self._socket.write([frame for parcel in taken for frame in parcel.frames])
            if self._socket.buffered() >= HANDOVER:
                self._passing += [parcel for parcel in taken if parcel.kind is Kind.STATE]
        if self._waiting:
            return
        if self._awareness and self._socket.buffered() < HANDOVER:
            self._socket.write([frame for parcel in self._awareness.values() for frame in parcel.frames])
            self._drop_awareness()
        if self._close is not None:
            self._socket.close(*self._close)
        elif self._phase is Phase.RECOVERING and not self._socket.buffered():
            self._phase = Phase.FLOWING

    def end(self, last: Parcel, code: int, reason: str) -> None:
        """The end frames, behind everything that waits, and then the close."""
        if self._phase is Phase.ENDING:
            return
        self._phase = Phase.ENDING
        self._drop_awareness()
        self._waiting.append(last)
        self._weight += last.weight
        self._close = (code, reason)
        self.flush()

    def _takes(self, kind: Kind) -> bool:
        match self._phase:
            case Phase.SLOW | Phase.ENDING:
                return False
            case Phase.LAGGING:
                return kind is Kind.STATE or kind is Kind.KEPT
            case Phase.FLOWING | Phase.RECOVERING:
                # The last of it may have been taken without a word: only of much a socket says that it is.
                if not self._waiting and not self._socket.buffered():
                    self._phase = Phase.FLOWING
                return True

    def _drained(self) -> None:
        self._passing.clear()
        self.flush()

    def _take(self, room: int) -> list[Parcel]:
        taken: list[Parcel] = []
        for parcel in self._waiting:
            if room <= 0:
                break
            self._weight -= parcel.weight
            room -= parcel.size
            taken.append(parcel)
        del self._waiting[: len(taken)]
        return taken

    def _replace(self, parcel: Parcel) -> None:
        # Taken out first: a newer one about the same must also come after others about part of it.
        older = self._awareness.pop(parcel.subject, None)
        if older is not None:
            self._weight -= older.weight
        self._awareness[parcel.subject] = parcel

    def _put_state(self, state: Parcel) -> None:
        """A full state holds all that the events and states before it say. Without need they stay; where they have
        gone it comes first, since the receipts that are left speak of what it holds (WS15)."""
        if self._phase is Phase.LAGGING:
            self._phase = Phase.RECOVERING
        elif sum(parcel.kind is Kind.STATE for parcel in self._waiting) >= STATES:
            self._drop_events()
        else:
            self._waiting.append(state)
            return
        self._waiting.insert(0, state)

    def _relieve(self) -> None:
        # A burst larger than the bound is no lag as long as the socket takes it.
        self.flush()
        self._drop_awareness()
        if self._weight <= self._bound:
            return
        again = self._phase is not Phase.FLOWING
        self._drop_events()
        if again or self._weight > self._bound:
            self._give_up()
        else:
            self._phase = Phase.LAGGING
            self.on_lag()

    def _give_up(self) -> None:
        self._phase = Phase.SLOW
        self._waiting.clear()
        self._weight = 0
        self.on_slow()

    def _drop_events(self) -> None:
        kept = (parcel if parcel.kind is Kind.KEPT else Parcel(parcel.receipt, Kind.KEPT) for parcel in self._waiting)
        self._waiting = [parcel for parcel in kept if parcel.frames]
        self._weight = sum(parcel.weight for parcel in self._waiting) + sum(
            parcel.weight for parcel in self._awareness.values()
        )

    def _drop_awareness(self) -> None:
        for parcel in self._awareness.values():
            self._weight -= parcel.weight
        self._awareness.clear()
