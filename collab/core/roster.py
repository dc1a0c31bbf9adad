"""Who takes part in one room: the sockets of this worker, by socket and by user, and the users at other workers."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from collab.core.meeting import Session
from collab.core.ration import Ration
from collab.core.remote import Remote, together
from protocol.intents import UserName
from protocol.notices import Connection, Participant, RosterView, StateReason
from protocol.values import Caller, CellId, Role, RoleAt, SocketId, User, UserId

FREE_AWARENESS = frozenset({"codraw.v1"})
"""Dialects whose clients show cursor and selection without presenting (PR6, PR8)."""
GRAIN = {"tmi": 0, "classic": 1}
"""How far down the path of a key a dialect tells changes apart: tmi shows the whole cell, classic the whole top-level
key, so that an unseen change of any part of it overwrites what the client did there."""
LISTS = frozenset({"tmi", "codraw.v1"})
"""Dialects that are told who is there by a list of everybody; the others of each who comes or goes."""
RESUMES = frozenset({"codraw.v1"})
"""Dialects that can say `resumed`; the others begin with a full state (WS14)."""
FETCHES = frozenset({"classic"})
"""Dialects whose clients put a state that they ask for or fetch over their copy, with what they did meanwhile."""
FETCHING_S = 1.0
DATES = frozenset({"tmi"})
"""Dialects whose clients do the same, and say with an operation by `base_vector` what they had seen before it."""
SENDS_LATE = frozenset({"tmi"})
"""Dialects whose clients read `base_vector` when they send, which TMI's app does up to 0.2 s after the edit: 0.15 s in
which a drag counts as unfinished, 0.05 s in which edits are gathered."""
SENDING_LATE_S = 0.5
TAKES_RETRY = frozenset({"codraw.v1"})
"""Dialects whose clients understand a refusal with `retry`; the others are closed with 1013."""


class Shown(msgspec.Struct, frozen=True):
    """The turn of the room in which a socket was shown something, and the vector that it was of."""

    turn: int
    vector: int
    at_s: float = float("-inf")


class Present:
    """One admitted socket."""

    __slots__ = (
        "active_ms",
        "awaited",
        "before",
        "caller",
        "corrected",
        "dialect",
        "doubted",
        "fetching_until_s",
        "grain",
        "joined_ms",
        "ration",
        "role",
        "saw_version",
        "sends_late",
        "shown",
        "socket",
        "syncing_until_s",
    )

    def __init__(
        self, socket: SocketId, caller: Caller, role: RoleAt, dialect: str, now_ms: int, saw_version: int = 0
    ) -> None:
        self.socket = socket
        self.caller = caller
        self.role = role
        self.dialect = dialect
        self.grain = GRAIN.get(dialect)
        self.sends_late = dialect in SENDS_LATE
        self.joined_ms = now_ms
        self.active_ms = now_ms
        self.saw_version = saw_version
        """Of the session's facts, as its handshake read them."""
        self.ration = Ration()
        self.awaited: tuple[StateReason, str | None, bool] = (StateReason.REQUESTED, None, True)
        """Reason, `ref` and `resend` of the full state that it waits for (WS9)."""
        self.doubted = False
        self.syncing_until_s = self.fetching_until_s = float("-inf")
        """So long its client may be busy with a state that lacks what it sends meanwhile: one of this socket, in its
        place among the operations; one fetched by REST, of whenever."""
        self.shown = Shown(0, 0)
        """When it was last shown the whole diagram."""
        self.corrected: dict[CellId, Shown] = {}
        """Cells shown to it whole because its copy was wrong (OP20)."""
        self.before = -1
        """The newest vector that it was at when the history under it was read anew, or it was shown the whole diagram
        again: a `base_vector` up to there may be of what it was shown until then, and tells nothing."""

    def show(self, shown: Shown) -> None:
        """The whole diagram: newer than any cell shown before."""
        self.shown = shown
        self.corrected.clear()
        if self.dialect in FETCHES:
            self.syncing_until_s = shown.at_s + FETCHING_S

    def show_again(self, shown: Shown) -> None:
        """The diagram as it may have known it: its screen then lacks what its client did before that arrived."""
        self.show(shown)
        if self.dialect in DATES:
            self.before = max(self.before, shown.vector)

    def fetches(self, now_s: float) -> None:
        """It was told something upon which its client fetches the diagram."""
        if self.dialect in FETCHES:
            self.fetching_until_s = now_s + FETCHING_S

    @property
    def user(self) -> User:
        return self.caller.user

    @property
    def free_awareness(self) -> bool:
        return self.dialect in FREE_AWARENESS

    @property
    def resumes(self) -> bool:
        return self.dialect in RESUMES

    @property
    def takes_retry(self) -> bool:
        return self.dialect in TAKES_RETRY


class Roster:
    """In order of arrival. Its length, its iterator and `of` are of the sockets here."""

    def __init__(self) -> None:
        self.remote = Remote()
        self._present: dict[SocketId, Present] = {}
        self._by_user: dict[UserId, dict[SocketId, Present]] = {}
        self._fetchers: dict[SocketId, Present] = {}
        """Of dialects that fetch: they are looked through with every operation, and the others need not be."""
        self.unheard: dict[UserId, Participant] = {}
        """Whose last socket has gone, while the others still take them for present."""
        self.awaited: UserId | None = None
        """A host who has returned, nobody has said yet where."""
        self._active_ms = 0

    def __len__(self) -> int:
        return len(self._present)

    def __iter__(self) -> Iterator[Present]:
        return iter(self._present.values())

    def get(self, socket: SocketId) -> Present | None:
        return self._present.get(socket)

    def add(self, present: Present) -> bool:
        """Whether it is the user's first socket here."""
        self._present[present.socket] = present
        if present.dialect in FETCHES:
            self._fetchers[present.socket] = present
        sockets = self._by_user.setdefault(present.caller.id, {})
        sockets[present.socket] = present
        return len(sockets) == 1

    def remove(self, socket: SocketId) -> bool:
        """Whether it was the user's last socket here."""
        present = self._present.pop(socket)
        self._fetchers.pop(socket, None)
        self._active_ms = max(self._active_ms, present.active_ms)
        sockets = self._by_user[present.caller.id]
        del sockets[socket]
        if sockets:
            return False
        del self._by_user[present.caller.id]
        return True

    @property
    def active_ms(self) -> int:
        """When anybody last said anything, who has left among them (SES14)."""
        return max([self._active_ms, *(present.active_ms for present in self)])

    def of(self, user: UserId) -> tuple[Present, ...]:
        return tuple(self._by_user.get(user, {}).values())

    def elsewhere(self, user: UserId) -> User | None:
        """Connected to another worker."""
        known = self.remote.get(user)
        return known.user if known is not None and known.connections else None

    def here(self, user: UserId) -> User | None:
        """Connected to any worker."""
        sockets = self.of(user)
        return sockets[0].user if sockets else self.elsewhere(user)

    def fetching(self, now_s: float) -> list[Present]:
        fetchers = self._fetchers
        return [present for present in fetchers.values() if now_s < present.fetching_until_s] if fetchers else []

    def named(self, name: UserName) -> User | None:
        """The one present user of that name; None: absent, or an e-mail address that fits two people."""
        if name.provider_id is not None:
            return self.here(UserId(f"{name.provider}:{name.provider_id}"))
        users = {one.user for one in self.everybody() if one.connections}
        fitting = [user for user in users if name.email is not None and user.email == name.email]
        return fitting[0] if len(fitting) == 1 else None

    def longest_writer(self, without: User | None = None) -> User | None:
        """Of those who may write, who has been connected longest, by whichever sockets."""
        writers = (one.user for one in self.everybody() if one.connections and one.role >= Role.WRITER)
        return next((user for user in writers if without is None or user.id != without.id), None)

    def view(self, session: Session) -> RosterView:
        """The host stays listed while away (SES10)."""
        here = self.here(session.host.id) is not None
        participants = [*self.everybody(), *self._undecided()]
        listed = any(one.user.id == session.host.id for one in participants)
        grace = session.host_grace_until_ms is not None or self.awaited == session.host.id
        away = not here and (grace or listed)
        if away and not listed:
            participants.insert(0, Participant(session.host, Role.OWNER, (), session.active_at_ms))
        return RosterView(
            participants=tuple(participants),
            host=session.host,
            host_state="here" if here else "away" if away else "absent",
            presenter=session.presenter,
            presenter_term=session.presenter_term,
        )

    def participants(self) -> tuple[Participant, ...]:
        """Of the sockets here."""
        return tuple(_participant(tuple(sockets.values())) for sockets in self._by_user.values())

    def said(self) -> tuple[Participant, ...]:
        """What other workers are to know."""
        unheard = (one for user, one in self.unheard.items() if user not in self._by_user)
        return (*self.participants(), *unheard)

    def everybody(self) -> tuple[Participant, ...]:
        """At all workers, each user once, in order of arrival."""
        mine = self.participants()
        if not self.remote:
            return mine
        found = {one.user.id: one for one in mine}
        for other in self.remote:
            one = found.get(other.user.id)
            found[other.user.id] = other if one is None else together(one, other)
        return tuple(sorted(found.values(), key=_arrival))

    def showing(self) -> frozenset[SocketId]:
        """Sockets at all workers that may show cursor and selection without presenting."""
        connections = (connection for one in self.everybody() for connection in one.connections)
        return frozenset(one.connection_id for one in connections if one.dialect in FREE_AWARENESS)

    def _undecided(self) -> list[Participant]:
        """Gone from here, and nowhere else."""
        taken = self._by_user
        return [one for user, one in self.unheard.items() if user not in taken and self.remote.get(user) is None]


def _arrival(participant: Participant) -> tuple[float, UserId]:
    """The same order on all workers."""
    first_ms = min((connection.joined_at_ms for connection in participant.connections), default=float("inf"))
    return first_ms, participant.user.id


def _participant(sockets: tuple[Present, ...]) -> Participant:
    """The highest of their roles: two logins of one person may have other groups (AU16)."""
    return Participant(
        user=sockets[0].user,
        role=max([p.role.role for p in sockets]),
        connections=tuple(Connection(p.socket, p.dialect, p.joined_ms) for p in sockets),
        last_activity_ms=max(p.active_ms for p in sockets),
    )
