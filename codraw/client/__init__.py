"""Typed asyncio client for programs and agents that edit diagrams together with people.

async with Server("http://127.0.0.1:8080", token=…) as server, server.open(threat_model, diagram) as live:
    outcome = await live.edit(add(shape="process", x=0, y=0, width=120, height=60, label="Login"))
"""

from codraw.client.changes import Change, add, remove, update
from codraw.client.errors import (
    CodrawError,
    NotAdmitted,
    RequestRefused,
    RestError,
    Unintelligible,
    Unreachable,
)
from codraw.client.events import (
    Awareness,
    Changed,
    Event,
    Held,
    HeldOperation,
    HistoryChanged,
    Joined,
    Lagged,
    Left,
    Mismatch,
    PresenterChanged,
    PresenterDenied,
    PresenterRequested,
    Refused,
    RosterChanged,
    Saved,
    StatusChanged,
    Trouble,
)
from codraw.client.feed import Subscription
from codraw.client.live import LiveDiagram, connect
from codraw.client.outcomes import Accepted, Asked, Outcome, Rejected, Unsettled
from codraw.client.presence import Participant, Peer
from codraw.client.replica import Replica
from codraw.client.rest import Server
from codraw.client.returning import Backoff
from protocol.dialects.parts import Point, UserRef, Viewport
from protocol.operations import Skipped
from protocol.values import Cell, User

__all__ = [
    "Accepted", "Asked", "Awareness", "Backoff", "Cell", "Change", "Changed", "CodrawError", "Event", "Held",
    "HeldOperation", "HistoryChanged", "Joined", "Lagged", "Left", "LiveDiagram", "Mismatch", "NotAdmitted", "Outcome",
    "Participant", "Peer", "Point", "PresenterChanged", "PresenterDenied", "PresenterRequested", "Refused", "Rejected",
    "Replica", "RequestRefused", "RestError", "RosterChanged", "Saved", "Server", "Skipped", "StatusChanged",
    "Subscription", "Trouble", "Unintelligible", "Unreachable", "Unsettled", "User", "UserRef", "Viewport", "add",
    "connect", "remove", "update",
]  # fmt: skip
