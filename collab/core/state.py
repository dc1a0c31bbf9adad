"""What the parts of one room share: the copy of the diagram, who is there, the session, time, and what is asked for."""

from __future__ import annotations

from collections import deque

import msgspec

from collab.core.awareness import Awareness
from collab.core.deadlines import ROSTER, Deadlines
from collab.core.effects import Announce, Dismiss, Effect, Tell
from collab.core.events import Loaded
from collab.core.meeting import Session
from collab.core.replica import Replica
from collab.core.roster import LISTS, Roster, Shown
from protocol.notices import Participant, RosterChanged
from protocol.refusals import Ending
from protocol.values import DiagramId, Instant, Limits, SocketId, ThreatModelId, UserId

TOLD = 256
CROWD = 50
"""Sockets. Beyond that who comes and goes is listed for all of them now and then (WS11): a thousand joins, each listed
for everybody, would be 70 GB."""
LISTING_S = 0.002
"""Times the number of sockets, between two lists."""

Listed = dict[UserId, Participant]


class RoomSettings(msgspec.Struct, frozen=True):
    """What an operator may set; seconds unless the name says otherwise."""

    limits: Limits = Limits()
    host_grace_s: float = 15.0
    server_grace_s: float = 60.0
    """Of a loss that the server caused (SES12)."""
    host_leave_ends: bool = True
    shared_undo: bool = False
    """One stack for everybody: the newest entry of anybody is undone by whoever asks."""
    store_patience_s: float = 10.0
    heartbeat_s: float = 15.0
    gap_patience_s: float = 0.05
    retry_s: float = 0.2
    judged_apart_bytes: int = 40_000
    """A batch of more, as of two hundred cells, is judged by a call of its own: it takes several milliseconds."""
    snapshot_operations: int = 500
    snapshot_s: float = 30.0


class RoomState:
    """Mutable, and owned by one Room; `effects` is what the event at hand asks for, in order."""

    def __init__(
        self,
        threat_model: ThreatModelId,
        loaded: Loaded,
        session: Session | None,
        settings: RoomSettings,
        *,
        alone: bool = True,
    ) -> None:
        self.alone = alone
        """No other worker has a room of the diagram."""
        self.threat_model = threat_model
        self.settings = settings
        self.replica = Replica(loaded, settings.limits, shared_undo=settings.shared_undo)
        self.session = session
        self.session_doubted = False
        """Somebody may have ended the session or ejected a writer: nothing is judged and nobody let in before it was
        read (I21)."""
        self.session_unread = False
        """No read has begun since the doubt arose."""
        self.surveying = False
        """Nobody is let in before it is known who is at other workers (WS11)."""
        self.roster = Roster()
        self._heard: Listed = {}
        """Whom the sockets here take for present that are told of each coming and going."""
        self._listed: Listed = self._heard
        """The same of those that are shown lists; in a crowd of before the last comings and goings."""
        self._listed_at_s = float("-inf")
        self.awareness = Awareness()
        self.deadlines = Deadlines()
        self.now = Instant(0.0, 0)
        self._told: deque[tuple[float, int]] = deque()
        """When which vectors were told; those of long ago are left out as soon as somebody asks."""
        self.turn = 0
        """Counts the events: what came before what, within this room."""
        self.effects: list[Effect] = []

    @property
    def diagram_id(self) -> DiagramId:
        return self.replica.diagram.id

    @property
    def start_vector(self) -> int:
        return self.session.start_vector if self.session is not None else 0

    @property
    def over(self) -> Ending | None:
        """The ending of the session; until everybody was told it is still ours."""
        return self.session.ended if self.session is not None else None

    def doubt_session(self) -> None:
        self.session_doubted = self.session_unread = True

    def shown(self) -> Shown:
        """Of what is shown in this turn."""
        return Shown(self.turn, self.replica.diagram.vector, self.now.monotonic_s)

    def note_told(self, vector: int) -> None:
        self._told.append((self.now.monotonic_s, vector))
        if len(self._told) > TOLD:
            self._told.popleft()

    def told_before(self, seconds: float) -> int:
        """The newest vector but for those that were told within the last `seconds`, at most TOLD of them."""
        while self._told and self._told[0][0] < self.now.monotonic_s - seconds:
            self._told.popleft()
        return self._told[0][1] - 1 if self._told else self.replica.diagram.vector

    def ask(self, *effects: Effect) -> None:
        self.effects.extend(effects)

    def after_s(self, name: str, seconds: float) -> None:
        self.deadlines.set(name, self.now.monotonic_s + seconds)

    def remove(self, socket: SocketId) -> bool:
        """Out of the roster, with all that was kept for it. Whether it was its user's last socket here."""
        self.awareness.forget(socket)
        self.deadlines.drop_of(socket)
        return self.roster.remove(socket)

    def tell_roster(
        self,
        *,
        ejected: bool = False,
        presenter_changed: bool = False,
        successor: bool = False,
        skip: frozenset[SocketId] = frozenset(),
        announce: bool = True,
    ) -> None:
        """To all here, with who came and went and whose role is another since they were told last (WS11, AU15); and, of
        the sockets here, to presence and the other workers. `successor`: somebody else is host."""
        if self.session is None:
            return
        roster = self.roster.view(self.session)
        heard, self._heard = self._heard, {one.user.id: one for one in roster.participants}
        changed = RosterChanged(
            roster=roster,
            at_ms=self.now.wall_ms,
            ejected=ejected,
            presenter_changed=presenter_changed,
            roles_changed=successor or any(_role_moved(heard.get(id), one) for id, one in self._heard.items()),
        )
        urgent = ejected or presenter_changed or changed.roles_changed
        due_s = self._listed_at_s + LISTING_S * len(self.roster)
        if not urgent and len(self.roster) > CROWD and self.now.monotonic_s < due_s:
            self._tell(changed, heard, skip | self._shown_lists(True))
            self.deadlines.set_if_unset(ROSTER, due_s)
        elif heard is self._listed:
            self._tell(changed, heard, skip)
            self._now_listed()
        else:
            self._tell(changed, heard, skip | self._shown_lists(True))
            self._tell(changed, self._listed, skip | self._shown_lists(False))
            self._now_listed()
        if announce:
            self.ask(Announce(self.session.id, self.roster.said(), self.session.version))

    def list_roster(self) -> None:
        """What a crowd was not shown yet."""
        if self.session is not None:
            changed = RosterChanged(self.roster.view(self.session), self.now.wall_ms)
            self._tell(changed, self._listed, self._shown_lists(False))
            self._now_listed()

    def _tell(self, changed: RosterChanged, before: Listed, skip: frozenset[SocketId]) -> None:
        """With who came and went since `before`."""
        joined = tuple(one.user for id, one in self._heard.items() if id not in before)
        left = tuple(one.user for id, one in before.items() if id not in self._heard)
        by = joined[0].id if joined else left[0].id if left else None
        self.ask(Tell(msgspec.structs.replace(changed, joined=joined, left=left), skip, by))

    def _now_listed(self) -> None:
        self._listed, self._listed_at_s = self._heard, self.now.monotonic_s
        self.deadlines.drop(ROSTER)

    def _shown_lists(self, shown: bool) -> frozenset[SocketId]:
        return frozenset(present.socket for present in self.roster if (present.dialect in LISTS) is shown)

    def forget_everybody(self) -> None:
        """With the session."""
        self.session = None
        self._heard = self._listed = {}
        self.deadlines.drop(ROSTER)
        self.roster.unheard.clear()
        self.roster.awaited = None
        self.roster.remote.clear()
        # of the sockets here nothing is left; what others showed elsewhere was shown in this session
        self.awareness.keep(())

    def dismissal(self, socket: SocketId, ending: Ending) -> Dismiss:
        return Dismiss(socket, ending, self.session.host if self.session is not None else None)


def _role_moved(before: Participant | None, now: Participant) -> bool:
    """Of somebody connected: who is away and may return is listed without one that counts."""
    return before is not None and bool(before.connections and now.connections) and before.role != now.role
