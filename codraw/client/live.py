"""A live diagram over a WebSocket that comes back by itself."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, Protocol, Self, overload
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from msgspec import UNSET, UnsetType

from codraw.client.agreement import Agreement
from codraw.client.changes import Change, Entry
from codraw.client.errors import NotAdmitted
from codraw.client.events import Changed, Event, HistoryChanged, StatusChanged, Trouble
from codraw.client.feed import CAPACITY, E, Subscription
from codraw.client.link import Link
from codraw.client.messages import Error, OperationRejected, State, read
from codraw.client.outcomes import Asked
from codraw.client.presence import Participant, Peer, Presence, user
from codraw.client.replica import Replica, Touched
from codraw.client.requests import Requests
from codraw.client.returning import Backoff
from codraw.client.submissions import Submissions
from codraw.client.wire import Wants, Wire
from collab.tasks import Tasks, log_crash
from protocol.codec import Encoding
from protocol.dialects import codraw_v1_messages as wire
from protocol.dialects.parts import Point, UserRef, Viewport
from protocol.notices import StateReason
from protocol.refusals import Reason
from protocol.values import Cell, CellId, Limits, User

FLUSH_S = 10.0
EMPTY: Mapping[str, str] = {Reason.NOTHING_TO_UNDO: "undo", Reason.NOTHING_TO_REDO: "redo"}
"""Which stack that is said of: what used it up elsewhere was told to nobody."""


class Named(Protocol):
    """Whoever has these two is a user: a `User`, for example that of a participant."""

    @property
    def provider(self) -> str: ...
    @property
    def provider_id(self) -> str: ...


Ticket = Callable[[Literal["connect", "reauthenticate", "refresh"]], Awaitable[str]]
"""A fresh single-use ticket. `reauthenticate`: the login has ended; `refresh`: to prolong it. A RestError of status
401, 403 or 404 that names no `retry_after_s` ends the attempts, after any other CodrawError they go on."""
Address = str | Callable[[], Awaitable[str]]
"""`ws(s)://…/threat_models/{tm}/diagrams/{d}/ws`, or how to find it; asked before every connection."""


def connect(
    url: Address,
    ticket: Ticket,
    *,
    encoding: Literal["json", "msgpack"] = "json",
    backoff: Backoff | None = None,
) -> LiveDiagram:
    """A live diagram by its address: `async with connect(url, ticket) as live`. `Server.open` finds both by itself."""
    return LiveDiagram(url, ticket, encoding=encoding, backoff=backoff)


class LiveDiagram:
    """A replica on a wire; entered with `async with`, or by `open` and `close`.

    All that is shown here includes our own pending operations. Methods that are not coroutines never wait for the
    network. For one event loop.
    """

    def __init__(
        self,
        url: Address,
        ticket: Ticket,
        *,
        encoding: Literal["json", "msgpack"] = "json",
        backoff: Backoff | None = None,
    ) -> None:
        self.replica = Replica()
        self.session: wire.Session | None = None
        self.you: wire.You | None = None
        self.history = wire.History(0, 0)
        self._url, self._ticket = url, ticket
        self._subscriptions: weakref.WeakSet[Subscription[Any]] = weakref.WeakSet()
        self._listening: set[Any] = set()
        self._at_rest = asyncio.Event()
        self._tasks = Tasks(self._crashed)
        self._link = Link(Encoding(encoding), self._tell)
        self._link.wire = self._wire = Wire(self, self._link.encoding, backoff or Backoff(), self._tasks)
        self._submissions = Submissions(self.replica, self._link)
        self._agreement = Agreement(self.replica, self._link, self._whole)
        self._presence = Presence(self._link)
        self._requests = Requests(self._link)

    # coming and going -------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self.open()
        try:
            await self.ready()
        except BaseException:
            await self.close(timeout_s=0)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    def open(self) -> None:
        """Connects, in the background; from `offline` at once, after `refused` or `closed` anew."""
        self._submissions.is_open = True
        if not self.is_live:
            self._at_rest.clear()
        self._wire.open()

    async def ready(self) -> None:
        """Returns when it is live. Raises NotAdmitted where it will not be."""
        while not self._at_rest.is_set():
            await self._at_rest.wait()  # it may be offline again by the time that we are woken
        if not self.is_live:
            why = self._wire.why
            if why is None:
                raise NotAdmitted("closed", "the live diagram was closed")
            raise NotAdmitted(why.reason, why.message, why.code)

    async def close(self, timeout_s: float = FLUSH_S) -> None:
        """Leaves, once all that was asked has its outcome; what has none by then is told as `Held`. Cancelled, it
        leaves at once.

        If we are the host and this is our last connection, it ends the session for everybody.
        """
        self._submissions.is_open = False
        try:
            if self._wire.state not in ("closed", "refused"):
                with suppress(TimeoutError):
                    async with asyncio.timeout(timeout_s):
                        await self._submissions.drained()
            await self._wire.close()
        except BaseException:
            self._wire.leave()
            raise
        finally:
            self._end("closed", "the live diagram was closed before the server answered")
            await self._tasks.close()

    def cut(self) -> None:
        """Loses the connection on purpose; it comes back by itself."""
        self._wire.cut()

    @property
    def status(self) -> StatusChanged:
        """The last of these events, as it were."""
        state, why = self._wire.state, self._wire.why
        pending = len(self.replica.pending)
        if why is None:
            return StatusChanged(state, pending)
        return StatusChanged(state, pending, why.reason, why.message, why.code, self._wire.retry_in_s)

    @property
    def is_live(self) -> bool:
        return self._wire.state == "live"

    @property
    def can_write(self) -> bool:
        return self.you is not None and self.you.permissions == "writer"

    # looking ----------------------------------------------------------------------------------------------------------

    @property
    def cells(self) -> Sequence[Cell]:
        """All cells in their order, made anew for whoever asks. To change one ask for it with `edit`."""
        return tuple(self.replica.top.cells_in_order())

    def cell(self, id: str) -> Cell | None:
        return self.replica.top.cell(CellId(id))

    @property
    def vector(self) -> int:
        """Of the confirmed copy."""
        return self.replica.confirmed.vector

    @property
    def state_hash(self) -> str:
        """Of the confirmed copy, 32 hex digits."""
        return self.replica.state_hash

    @property
    def limits(self) -> Limits:
        return self.replica.limits

    @property
    def participants(self) -> Sequence[Participant]:
        return self._presence.participants

    @property
    def host(self) -> User | None:
        return self._presence.host

    @property
    def host_state(self) -> str:
        """here, away or absent."""
        return self._presence.host_state

    @property
    def presenter(self) -> User | None:
        return self._presence.presenter

    @property
    def peers(self) -> Mapping[str, Peer]:
        """Connection id -> what it shows of itself."""
        return self._presence.peers

    # listening --------------------------------------------------------------------------------------------------------

    @overload
    def events(self, *, capacity: int = CAPACITY) -> Subscription[Event]: ...
    @overload
    def events(self, *kinds: type[E], capacity: int = CAPACITY) -> Subscription[E]: ...
    def events(self, *kinds: type[E], capacity: int = CAPACITY) -> Subscription[E]:
        """All events from now on, or those of some kinds; as many iterators at once as are wanted.

        It ends when the diagram is left for good, at once where that has happened. One that is read too slowly loses
        no news of cells, but detail: see `Lagged`.
        """
        subscription = Subscription(kinds, capacity, self._listening)
        if self._at_rest.is_set() and not self.is_live:
            subscription.end()
        else:
            self._subscriptions.add(subscription)
        return subscription

    def __aiter__(self) -> AsyncIterator[Event]:
        return self.events()

    # editing ----------------------------------------------------------------------------------------------------------

    def edit(
        self, changes: Change | Entry | Iterable[Change | Entry], *, group_id: str | None = None, strict: bool = False
    ) -> Asked:
        """Shows the changes at once and sends them, as one operation: all or none. Await the result for its outcome.

        Operations that follow each other with one `group_id` are undone as one. `strict`: refused where somebody else
        has changed one of the cells since we saw it. Never raises for what the changes are: they are `Rejected`.
        """
        single = isinstance(changes, Change | Mapping)
        return self._submissions.edit([changes] if single else changes, group_id, strict)  # type: ignore[arg-type, list-item]

    def undo(self) -> Asked:
        """Takes back our own last operation, on whatever device it was made."""
        return self._submissions.undo()

    def redo(self) -> Asked:
        return self._submissions.redo()

    async def settled(self) -> None:
        """Returns when everything asked so far has its outcome, however long that takes."""
        await self._submissions.drained()

    def check(self) -> None:
        """Asks the server where it stands; what differs is repaired."""
        self._link.say({"message_type": "heartbeat"})

    # together ---------------------------------------------------------------------------------------------------------

    def aware(
        self,
        *,
        cursor: Point | tuple[float, float] | UnsetType | None = UNSET,
        selection: Sequence[str] | UnsetType | None = UNSET,
        viewport: Viewport | UnsetType | None = UNSET,
    ) -> None:
        """Shows the others where we are; None: gone. May be called at any rate: the newest wins.

        Raises ValueError for what the server would not take, such as a number that is none.
        """
        point = Point(*cursor) if isinstance(cursor, tuple) else cursor
        given = {"cursor": point, "selection": selection, "viewport": viewport}
        self._presence.aware({key: value for key, value in given.items() if value is not UNSET})

    async def request_presenter(self) -> None:
        """The host is asked, or if it is us, we present. Raises RequestRefused, Unreachable."""
        await self._requests.ask({"message_type": "presenter", "action": "request"})

    async def grant_presenter(self, user: Named | None) -> None:
        """As host: that user presents, or nobody. Raises RequestRefused, Unreachable."""
        await self._requests.ask({"message_type": "presenter", "action": "grant", **_named(user)})

    async def deny_presenter(self, user: Named) -> None:
        """As host. Raises RequestRefused, Unreachable."""
        await self._requests.ask({"message_type": "presenter", "action": "deny", **_named(user)})

    async def release_presenter(self) -> None:
        """As presenter or host: nobody presents. Raises RequestRefused, Unreachable."""
        await self._requests.ask({"message_type": "presenter", "action": "release"})

    async def remove_participant(self, user: Named) -> None:
        """As host: out, until the session ends. Raises RequestRefused, Unreachable."""
        await self._requests.ask({"message_type": "remove_participant", **_named(user)})

    # what the wire says -----------------------------------------------------------------------------------------------

    async def address(self, wants: Wants) -> str:
        url = self._url if isinstance(self._url, str) else await _given(self._url())
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        query["ticket"] = await _given(self._ticket(wants))
        if self.replica.confirmed.epoch:
            query["resume"] = f"{self.replica.confirmed.epoch}:{self.vector}"
        return parts._replace(query=urlencode(query)).geturl()

    def lost(self) -> None:
        self._link.timers.clear()
        self._submissions.lost()
        self._presence.lost()
        self._requests.lost()

    def changed(self) -> None:
        state = self._wire.state
        self._tell(self.status)
        if state == "refused" and self._wire.why is not None:
            self._end(self._wire.why.reason, self._wire.why.message)
        if state in ("live", "refused", "closed"):
            self._at_rest.set()
        else:
            self._at_rest.clear()

    def _end(self, reason: str, message: str) -> None:
        self._submissions.is_open = False
        self._submissions.abandon(reason, message)
        for subscription in list(self._subscriptions):
            subscription.end()
        self._subscriptions.clear()

    def _crashed(self, name: str, error: BaseException) -> None:
        """A fault of ours, or of the caller's `ticket`: nobody is left waiting for what will not come."""
        log_crash(name, error)
        self._wire.fail("failed", f"{type(error).__name__}: {error}")

    def heard(self, frame: str | bytes) -> None:
        match read(frame, self._link.encoding):
            case wire.Event() as event:
                self._event(event)
            case wire.OperationAccepted() as receipt:
                self._accepted(receipt)
            case OperationRejected() as rejection:
                self._rejected(rejection)
            case wire.Heartbeat() as beat:
                self._agreement.heartbeat(beat)
            case wire.Awareness() as awareness:
                self._presence.shown(awareness)
            case wire.Welcome() as welcome:
                self._welcome(welcome)
            case State() as state:
                self._state(state)
            case wire.Repair() as repair:
                self._show(self.replica.repair(repair), is_reset=repair.order is not UNSET)
                self._agreement.shown(repair.state_hash)
            case wire.Resumed() as resumed:
                self._agreement.resumed(resumed)
            case wire.Participants() as roster:
                self._participants(roster)
            case wire.Presenter() as presenter:
                self._presence.presenting(presenter)
            case wire.TokenExpiring():
                self._tasks.start("client token", self._prolong())
            case wire.Done(ref=ref):
                self._requests.done(ref)
            case Error() as error:
                self._requests.troubled(error)
            case wire.Goodbye() as goodbye:
                self._wire.goodbye(goodbye)
            case wire.TokenRefreshed() | None:
                pass

    def _welcome(self, welcome: wire.Welcome) -> None:
        me = user(welcome.you.user).id
        if self.you is not None and me != self.replica.me:
            # Ids of operations belong to a user (VEC10): sent in another's name they might happen twice.
            self._submissions.abandon("another_user", "signed in as somebody else now")
        self.session, self.you = welcome.session, welcome.you
        self.replica.me, self.replica.limits = me, welcome.limits
        self._wire.patience_s = 2.0 * welcome.heartbeat_seconds
        self._presence.awareness_hz = welcome.limits.awareness_hz
        self._presence.welcomed(welcome.session)
        self._agreement.expect()
        self._history(welcome.you.history)

    def _state(self, state: State) -> None:
        if not state.resend:
            self._submissions.forgotten()
        is_replaced = state.reason == StateReason.EPOCH_CHANGED and state.epoch != self.replica.confirmed.epoch
        self._show(self.replica.show(state), is_reset=True)
        if is_replaced:
            # UN11: with what could be undone
            self._history(wire.History(0, 0))
        self._agreement.shown(state.state_hash)

    def _event(self, event: wire.Event) -> None:
        operation = self.replica.operation(event.operation_id)
        if event.by.id == self.replica.me and operation is not None:
            operation.has_happened = True
            if not operation.awaits_receipt:
                self._submissions.settle(event.operation_id, event.update_vector)
        touched = self.replica.happened(event)
        self._advance(touched, event.by, event.kind, event.operation.order is not UNSET)
        if event.history is not UNSET:
            self._history(event.history)

    def _accepted(self, receipt: wire.OperationAccepted) -> None:
        skipped = () if receipt.skipped is UNSET else receipt.skipped
        self._submissions.settle(receipt.operation_id, receipt.update_vector, receipt.changed, skipped)
        self._advance(self.replica.accepted(receipt), None, receipt.kind)
        self._history(receipt.history)

    def _rejected(self, rejection: OperationRejected) -> None:
        operation = self.replica.operation(rejection.operation_id)
        is_news = operation is None or not operation.is_repeat
        self._submissions.rejected(rejection)
        if rejection.requires_resync:
            self._agreement.resume()
        if is_news and (empty := EMPTY.get(rejection.reason)) is not None:
            self._history(msgspec.structs.replace(self.history, **{empty: 0}))

    def _advance(self, touched: Touched | None, by: UserRef | None, kind: str, is_reset: bool = False) -> None:
        if touched is None:
            self._agreement.resume()
            return
        self._show(touched, is_reset=is_reset, by=by, kind=kind)
        self._agreement.advanced()

    def _show(self, touched: Touched, *, is_reset: bool = False, by: UserRef | None = None, kind: str = "edit") -> None:
        if touched or is_reset:
            self._tell(Changed(touched, is_reset, by, kind))

    def _whole(self) -> None:
        """The confirmed copy lacks nothing."""
        if not self.is_live:
            self._wire.ready()
            self._submissions.transmit_all()
            self._presence.returned()

    def _participants(self, roster: wire.Participants) -> None:
        self._presence.roster(roster)
        for one in roster.participants:
            if self.you is not None and one.user == self.you.user:
                changes = {"role": one.role, "permissions": one.permissions, "is_host": one.is_host}
                self.you = msgspec.structs.replace(self.you, **changes)

    def _history(self, history: wire.History) -> None:
        if history != self.history:
            self.history = history
            self._tell(HistoryChanged(history.undo, history.redo))

    async def _prolong(self) -> None:
        """The socket may stay as long as the login whose ticket it shows."""
        try:
            ticket = await _given(self._ticket("refresh"))
        except Exception as error:  # whatever the caller's `ticket` raises: the connection is still good
            self._tell(Trouble("refresh_failed", str(error) or type(error).__name__))
        else:
            self._link.say({"message_type": "refresh_token", "ticket": ticket})

    def _tell(self, event: Event) -> None:
        for subscription in list(self._subscriptions):
            subscription.tell(event)


async def _given(answer: Awaitable[str]) -> str:
    """What the caller's own code answers. It has failed where it was cancelled and we were not: of a task that is
    cancelled nobody hears."""
    try:
        return await answer
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise RuntimeError("what was asked for an address or a ticket was cancelled") from None


def _named(user: Named | None) -> dict[str, Any]:
    return {} if user is None else {"user": {"provider": user.provider, "provider_id": user.provider_id}}
