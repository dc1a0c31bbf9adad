"""Who hosts, who presents, who stays: requests of participants and losses of sockets, decided on the session facts.

A decision that needs the store is a session change; it is decided anew if somebody else changed the session first.
"""

from __future__ import annotations

import msgspec

from collab.core.effects import Effect, Send, Speak
from collab.core.events import Declined, Wanted
from collab.core.meeting import Deny, End, HostBack, HostGone, Session, SessionChange, SetHost, SetPresenter
from collab.core.roster import Roster
from protocol.intents import AskPresenter, DenyPresenter, Eject, GrantPresenter, ReleasePresenter, UserName
from protocol.notices import Done, PresenterAsked, PresenterDenied, Troubled
from protocol.refusals import Ending, Trouble
from protocol.values import SocketId, User, UserId


class HostLost(msgspec.Struct, frozen=True):
    """The host's last socket went: `clean` by close 1000 or 1005, else the grace of `grace_ms` begins (SES9, SES10)."""

    host: UserId
    clean: bool
    grace_ms: int


class HostMissed(msgspec.Struct, frozen=True):
    """No worker has a socket of the host any more, and none has said why (SES12)."""

    host: UserId
    grace_ms: int


class HostReturned(msgspec.Struct, frozen=True):
    """The host is here, at this worker."""


class PresenterLost(msgspec.Struct, frozen=True):
    """The presenter's last socket went (PR5); somebody else may present by the time this is decided."""

    presenter: UserId


ByUser = AskPresenter | GrantPresenter | DenyPresenter | ReleasePresenter | Eject
ByLoss = HostLost | HostMissed | HostReturned | PresenterLost


class Request(msgspec.Struct, frozen=True):
    """`socket` asked; None: it follows from a loss. `left`: users whose leave is told together with the change.
    `tried`: a change that was asked of the store, which may have made it although its answer got lost."""

    what: ByUser | ByLoss
    socket: SocketId | None = None
    by: User | None = None
    left: tuple[User, ...] = ()
    tried: SessionChange | None = None

    @property
    def ref(self) -> str | None:
        return None if isinstance(self.what, ByLoss) else self.what.ref


class Decision(msgspec.Struct, frozen=True):
    """Either a change for the store, or effects at once (none: nothing to do)."""

    change: SessionChange | None = None
    effects: tuple[Effect, ...] = ()


NOTHING = Decision()


def decide(request: Request, session: Session, roster: Roster, host_leave_ends: bool, now_ms: int) -> Decision:
    match request.what:
        case HostLost() | HostMissed() | HostReturned() | PresenterLost():
            return _by_loss(request.what, session, roster, host_leave_ends)
        case _:
            if request.socket is None or request.by is None or roster.get(request.socket) is None:
                return NOTHING
            if _stands(request.tried, session):
                return Decision(effects=(Send(request.socket, Done(request.ref)),))
            return _ByUser(request.socket, request.by, session, roster, now_ms).decide(request.what)


def _stands(change: SessionChange | None, session: Session) -> bool:
    match change:
        case Deny(user=user):
            return user.id in session.denied
        case SetPresenter(presenter=presenter):
            return _id(presenter) == _id(session.presenter)
        case _:
            return False


def _id(user: User | None) -> UserId | None:
    return None if user is None else user.id


def next_presenter(session: Session, roster: Roster) -> User | None:
    """PR5: the host if connected, else the writer connected longest, else nobody."""
    host = session.host
    # whose worker may not have said yet that they are away
    away = session.host_grace_until_ms is not None and not roster.of(host.id)
    if roster.here(host.id) and not away:
        return host
    return roster.longest_writer(host)


def _by_loss(what: ByLoss, session: Session, roster: Roster, host_leave_ends: bool) -> Decision:
    host, away = session.host.id, session.host_grace_until_ms is not None
    match what:
        case HostLost(host=lost) if lost == host and not roster.here(host):
            return Decision(_host_lost(what, roster, host_leave_ends))
        case HostMissed(host=lost) if lost == host and not roster.here(host) and not away:
            return Decision(HostGone(what.grace_ms))
        case HostReturned() if roster.of(host) and away:
            return Decision(HostBack())
        case PresenterLost(presenter=presenter) if _presenter_gone(presenter, session, roster):
            return Decision(SetPresenter(next_presenter(session, roster)))
        case _:
            return NOTHING


def _presenter_gone(lost: UserId, session: Session, roster: Roster) -> bool:
    """PR5: not a host who is away, and may return."""
    presenter = session.presenter
    return presenter is not None and presenter.id == lost != session.host.id and not roster.here(lost)


def _host_lost(what: HostLost, roster: Roster, host_leave_ends: bool) -> SessionChange:
    if not what.clean or not roster.remote.sighted:
        # another tab of the host may be at a worker that cannot be heard
        return HostGone(what.grace_ms)
    if host_leave_ends:
        return End(Ending.HOST_LEFT)
    successor = roster.longest_writer()
    return SetHost(successor) if successor is not None else End(Ending.HOST_LEFT)


class _ByUser:
    """One request of one participant: to present or let present, or to remove somebody (PR4, PR11, WS22, SES18)."""

    def __init__(self, socket: SocketId, by: User, session: Session, roster: Roster, now_ms: int) -> None:
        self._socket, self._by, self._session, self._roster, self._now_ms = socket, by, session, roster, now_ms

    @property
    def _is_host(self) -> bool:
        return self._by.id == self._session.host.id

    @property
    def _is_presenter(self) -> bool:
        return self._session.presenter is not None and self._by.id == self._session.presenter.id

    def decide(self, what: ByUser) -> Decision:
        match what:
            case AskPresenter(ref=ref):
                return self._ask(ref)
            case ReleasePresenter(ref=ref):
                if not self._is_host and not self._is_presenter:
                    return self._trouble(Trouble.PERMISSION_DENIED, "only the presenter or the host", ref)
                return self._present(None, ref)
            case _ if not self._is_host:
                return self._trouble(Trouble.PERMISSION_DENIED, "host only", what.ref)
            case GrantPresenter(user=None, ref=ref):
                return self._present(None, ref)
            case GrantPresenter(user=UserName() as name, ref=ref):
                user = self._roster.named(name)
                return self._present(user, ref) if user is not None else self._absent(ref)
            case DenyPresenter(user=name, ref=ref):
                return self._deny(self._roster.named(name), ref)
            case Eject(user=name, ref=ref):
                return self._eject(self._roster.named(name), ref)
            case _:
                return NOTHING

    def _ask(self, ref: str | None) -> Decision:
        session = self._session
        if self._is_presenter:
            return self._done(ref)
        if self._is_host:
            return Decision(SetPresenter(self._by, self._by))
        roster, host = self._roster.view(session), session.host.id
        if not self._reaches(host):
            return self._told(self._by, PresenterDenied(user=self._by, roster=roster, host=None), ref)
        return self._told(session.host, PresenterAsked(user=self._by, roster=roster), ref)

    def _present(self, user: User | None, ref: str | None) -> Decision:
        now = self._session.presenter
        same = user is None if now is None else user is not None and user.id == now.id
        return self._done(ref) if same else Decision(SetPresenter(user, self._by))

    def _deny(self, user: User | None, ref: str | None) -> Decision:
        if user is None:
            return self._absent(ref)
        if not self._reaches(user.id):
            return self._trouble(Trouble.INVALID_PARTICIPANT, "they cannot be told now: try again", ref)
        denied = PresenterDenied(user=user, roster=self._roster.view(self._session), host=self._session.host)
        return self._told(user, denied, ref)

    def _eject(self, user: User | None, ref: str | None) -> Decision:
        if user is None:
            return self._absent(ref)
        if user.id == self._session.host.id:
            return self._trouble(Trouble.VALIDATION_ERROR, "the host cannot be removed", ref)
        presenter = self._session.presenter
        if presenter is not None and presenter.id == user.id:
            # PR5: the host is connected, who asks for it
            presenter = self._session.host
        return Decision(Deny(user, presenter))

    def _reaches(self, user: UserId) -> bool:
        """Who is at another worker is told by news alone, and while none comes through it would be lost."""
        return self._roster.here(user) is not None and bool(self._roster.of(user) or self._roster.remote.sighted)

    def _told(self, whom: User, notice: PresenterAsked | PresenterDenied, ref: str | None) -> Decision:
        """All sockets of somebody, wherever they are."""
        sockets = self._roster.of(whom.id)
        there: tuple[Effect, ...] = ()
        if self._roster.elsewhere(whom.id):
            there = (Speak(_spoken(notice, self._session)),)
        return Decision(effects=(*(Send(p.socket, notice) for p in sockets), *there, *self._done(ref).effects))

    def _done(self, ref: str | None) -> Decision:
        return Decision(effects=(Send(self._socket, Done(ref)),))

    def _absent(self, ref: str | None) -> Decision:
        return self._trouble(Trouble.INVALID_PARTICIPANT, "nobody of that name is connected", ref)

    def _trouble(self, trouble: Trouble, message: str, ref: str | None) -> Decision:
        return Decision(effects=(Send(self._socket, Troubled(trouble, message, self._now_ms, ref=ref)),))


def _spoken(notice: PresenterAsked | PresenterDenied, session: Session) -> Wanted | Declined:
    match notice:
        case PresenterAsked(user=user):
            return Wanted(session.id, user)
        case PresenterDenied(user=user, host=host):
            return Declined(session.id, user, by_host=host is not None)
