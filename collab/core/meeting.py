"""Session facts as the store keeps them, and the changes a room may ask for.

A change is a conditional update on `version`, which it raises; whoever loses the race reads again and decides anew.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from protocol.notices import SessionView
from protocol.refusals import Ending
from protocol.values import DiagramId, SessionId, ThreatModelId, User, UserId


class Session(msgspec.Struct, frozen=True):
    """One collaboration session. Times are Unix milliseconds of the store's clock."""

    id: SessionId
    diagram_id: DiagramId
    threat_model_id: ThreatModelId
    host: User
    presenter: User | None
    presenter_term: int
    version: int
    start_vector: int
    created_at_ms: int
    seen_at_ms: int | None = None
    """When a socket was last known to be there; None before the first."""
    active_at_ms: int = 0
    """Last inbound application message (SES14)."""
    host_grace_until_ms: int | None = None
    """Set while the host is away (SES10)."""
    denied: frozenset[UserId] = frozenset()
    left: Mapping[UserId, int] = {}
    """Who has left for good, and the version that came of it: sockets that saw an older one go (SES6)."""
    ended: Ending | None = None

    def view(self) -> SessionView:
        return SessionView(
            session_id=self.id,
            threat_model_id=self.threat_model_id,
            diagram_id=self.diagram_id,
            host=self.host,
            presenter=self.presenter,
            presenter_term=self.presenter_term,
            start_vector=self.start_vector,
        )


class SetPresenter(msgspec.Struct, frozen=True):
    """Raises the term (PR4). `by`: who asked for it; None: it follows from a loss."""

    presenter: User | None
    by: User | None = None


class HostGone(msgspec.Struct, frozen=True):
    """The host may return until `grace_ms` from now on the store's clock (SES10)."""

    grace_ms: int


class HostBack(msgspec.Struct, frozen=True):
    pass


class SetHost(msgspec.Struct, frozen=True):
    """With `host_leave_ends` off: the writer connected longest becomes host, and presents if the lost host did (SES9,
    PR5)."""

    host: User


class Deny(msgspec.Struct, frozen=True):
    """Ejects a user until the session ends; `presenter` presents from now on; raises acl_version (SES18)."""

    user: User
    presenter: User | None


class Leave(msgspec.Struct, frozen=True):
    """DELETE collaborate by somebody who may not end the session: all sockets that they have go (SES6)."""

    user: User


class End(msgspec.Struct, frozen=True):
    """Ends the session for all and raises the diagram's acl_version. `by`: who asked for it over REST."""

    ending: Ending
    by: User | None = None


SessionChange = SetPresenter | HostGone | HostBack | SetHost | Deny | Leave | End
