"""One diagram, a few people, and every kind of notice about them, for all tests of dialects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from protocol.cells import canonical_changes
from protocol.notices import (
    Accepted,
    AwarenessShown,
    AwareUpdate,
    Connection,
    CopyDoubtful,
    Corrected,
    Done,
    Ended,
    Happened,
    HeartbeatShown,
    HistoryDepth,
    Notice,
    Participant,
    PresenterAsked,
    PresenterChanged,
    PresenterDenied,
    Rejected,
    Repaired,
    ResyncAdvised,
    RosterChanged,
    RosterView,
    ServerFacts,
    SessionView,
    StateReason,
    StateShown,
    TokenExpiring,
    TokenRefreshed,
    Troubled,
    VectorShown,
    Welcomed,
)
from protocol.notices import Resumed as ResumedNotice
from protocol.operations import (
    CellChange,
    CellEffect,
    Effect,
    Inverse,
    Kind,
    LoggedOperation,
    Skipped,
    Verb,
)
from protocol.refusals import Ending, Reason, Refusal, Trouble
from protocol.values import (
    Cell,
    CellId,
    DiagramId,
    Epoch,
    Limits,
    OperationId,
    Role,
    SessionId,
    SocketId,
    ThreatModelId,
    User,
)

AT_MS = 1_795_255_200_000
AT = "2026-11-21T10:00:00Z"

ALICE = User("test", "alice", "alice@tmi.local", "Alice")
BOB = User("test", "bob", "bob@tmi.local", "Bob")
EVE = User("test", "eve", "eve@tmi.local", "Eve")

NODE_ID = CellId("7d3e6f5a-1b2c-4d3e-8f90-a1b2c3d4e5f6")
EDGE_ID = CellId("0b9c1d2e-3f40-4a5b-8c6d-7e8f90a1b2c3")
GONE_ID = CellId("11111111-2222-4333-8444-555555555555")
OPERATION_ID = OperationId("4f0c2f9e-6d0f-4a39-8a55-0f6d2b1c9e77")
EPOCH = Epoch("9f2c4e7a01b35d68")
DIAGRAM_ID = DiagramId("5e11aaaa-0000-4000-8000-000000000001")
THREAT_MODEL_ID = ThreatModelId("9a07aaaa-0000-4000-8000-000000000002")
SESSION_ID = SessionId("0d4caaaa-0000-4000-8000-000000000003")

NODE: Cell = {"id": NODE_ID, "shape": "process", "x": 150, "y": 200, "width": 120, "height": 80, "label": "New Process"}
EDGE: Cell = {
    "id": EDGE_ID,
    "shape": "flow",
    "source": {"cell": NODE_ID},
    "target": {"cell": NODE_ID},
    "data": {"a": 1},
}


class View(msgspec.Struct, frozen=True):
    """A diagram as renderings see one."""

    cells: Mapping[CellId, Cell]
    vector: int = 42
    id: DiagramId = DIAGRAM_ID
    epoch: Epoch = EPOCH
    state_hash: int = 0x87ECCCC1F640AA8C82A1EC3F014DC545

    def cell(self, id: CellId) -> Cell | None:
        return self.cells.get(id)

    def cells_in_order(self) -> Sequence[Cell]:
        return tuple(self.cells.values())


AFTER = View({NODE_ID: NODE, EDGE_ID: EDGE})
HASH = "87ecccc1f640aa8c82a1ec3f014dc545"


def big_view(cells: int, characters: int = 60_000) -> View:
    """Cells whose texts add up to `cells` times `characters`."""
    named = {CellId(f"c{n}"): {**NODE, "id": f"c{n}", "note": "x" * characters} for n in range(cells)}
    return View(named)


def adding(view: View) -> Effect:
    return Effect(tuple(CellEffect(id, Verb.ADD, cell) for id, cell in view.cells.items()))


MOVED = Effect((CellEffect(NODE_ID, Verb.UPDATE, {"x": 150}, ("label", "note")),))
CASCADE = Effect((CellEffect(NODE_ID, Verb.REMOVE), CellEffect(EDGE_ID, Verb.REMOVE)))
MIXED = Effect(
    (
        CellEffect(EDGE_ID, Verb.ADD, EDGE),
        CellEffect(NODE_ID, Verb.UPDATE, {"x": 150, "angle": None}),
        CellEffect(GONE_ID, Verb.REMOVE),
    )
)


def logged(effect: Effect = MOVED, **members: Any) -> LoggedOperation:
    given = {
        "vector": 42,
        "operation_id": OPERATION_ID,
        "user": ALICE,
        "kind": Kind.EDIT,
        "effect": effect,
        "inverse": Inverse(),
        "state_hash": AFTER.state_hash,
        "at_ms": AT_MS,
    }
    return LoggedOperation(**{**given, **members})


def happened(effect: Effect = MOVED, after: View = AFTER, **members: Any) -> Happened:
    return Happened(logged(effect, **members), after, start_vector=40)


def changes(*entries: Mapping[str, Any]) -> tuple[CellChange, ...]:
    return canonical_changes(list(entries), free_ids=True, limits=Limits())


MOVE = changes({"id": NODE_ID, "operation": "update", "data": {"x": 150}})


def accepted(effect: Effect | None = MOVED, **members: Any) -> Accepted:
    """The receipt of an edit; without an effect nothing was logged now."""
    given: dict[str, Any] = {
        "operation_id": OPERATION_ID,
        "vector": 42,
        "changed": effect is not None,
        "duplicate": False,
        "kind": Kind.EDIT,
        "by": ALICE,
        "after": AFTER,
        "start_vector": 40,
        "asked": MOVE,
        "operation": None if effect is None else logged(effect),
        "history": HistoryDepth(3, 0),
    }
    return Accepted(**{**given, **members})


def rejected(reason: Reason, kind: Kind = Kind.EDIT, **members: Any) -> Rejected:
    return Rejected(OPERATION_ID, Refusal(reason, "why", **members), vector=42, kind=kind, at_ms=AT_MS)


ROSTER = RosterView(
    participants=(
        Participant(ALICE, Role.OWNER, (Connection(SocketId("a1"), "tmi", AT_MS),), AT_MS),
        Participant(BOB, Role.READER, (Connection(SocketId("b1"), "codraw.v1", AT_MS),), AT_MS),
    ),
    host=ALICE,
    host_state="here",
    presenter=ALICE,
    presenter_term=4,
)
NOBODY_PRESENTS = msgspec.structs.replace(ROSTER, presenter=None)


def ended(ending: Ending, **members: Any) -> Ended:
    return Ended(ending, AT_MS, **{"host": ALICE, **members})


SESSION = SessionView(SESSION_ID, THREAT_MODEL_ID, DIAGRAM_ID, ALICE, None, 3, 40)
WELCOMED = Welcomed(
    session=SESSION,
    you=BOB,
    connection_id=SocketId("c7"),
    role=Role.WRITER,
    token_expires_at_ms=AT_MS + 3_600_000,
    history=HistoryDepth(2, 0),
    diagram=AFTER,
    limits=Limits(),
    at_ms=AT_MS,
    server=ServerFacts(version="1.0.0"),
)

EMPTY_HISTORY = (Reason.NOTHING_TO_UNDO, Reason.NOTHING_TO_REDO)

NOTICES: tuple[Notice, ...] = (
    WELCOMED,
    msgspec.structs.replace(WELCOMED, encoding="msgpack", session=msgspec.structs.replace(SESSION, presenter=BOB)),
    *(StateShown(AFTER, reason) for reason in StateReason),
    StateShown(AFTER, StateReason.EPOCH_CHANGED, resend=False, corrects=True, ref="s1"),
    ResumedNotice(EPOCH, 38, 42, AFTER.state_hash, "r1"),
    Repaired(AFTER, (NODE_ID,), (GONE_ID,), (EDGE_ID, NODE_ID), "r1"),
    Repaired(AFTER, ()),
    *(happened(effect, kind=kind) for effect in (MOVED, MIXED, CASCADE) for kind in (Kind.EDIT, Kind.REST)),
    happened(Effect((), (EDGE_ID, NODE_ID)), kind=Kind.REST),
    happened(kind=Kind.UNDO, undo_of=41),
    msgspec.structs.replace(happened(kind=Kind.UNDO, undo_of=41), history=HistoryDepth(2, 1)),
    happened(kind=Kind.REDO, undo_of=41, group_id="g1"),
    happened(kind=Kind.RESTORE),
    happened(adding(big_view(20)), big_view(20)),
    accepted(),
    accepted(CASCADE),
    accepted(CASCADE, ref="o1"),
    accepted(None),
    accepted(None, changed=True, duplicate=True, vector=41),
    accepted(changed=True, duplicate=True),
    accepted(Effect((), (EDGE_ID, NODE_ID)), kind=Kind.REST, asked=()),
    accepted(adding(big_view(20)), after=big_view(20), asked=()),
    accepted(kind=Kind.UNDO, asked=(), skipped=(Skipped(NODE_ID, ("label",), "changed"),)),
    accepted(None, kind=Kind.REDO, asked=(), skipped=(Skipped(NODE_ID, ("attrs/body/fill",), "gone"),)),
    accepted(None, kind=Kind.UNDO, asked=(), skipped=(Skipped(NODE_ID, ("label",), "changed"),), ref="u1"),
    Corrected(logged(), AFTER, (NODE_ID, GONE_ID), 40),
    CopyDoubtful(AFTER),
    *(rejected(reason) for reason in Reason if reason not in EMPTY_HISTORY),
    *(rejected(reason, kind) for reason in Reason for kind in (Kind.UNDO, Kind.REDO)),
    rejected(Reason.CONFLICT_DETECTED, affected=(NODE_ID,)),
    rejected(Reason.UNAVAILABLE, retry=True, retry_after_ms=5_000, affected=(NODE_ID,), details={"a": 1}),
    msgspec.structs.replace(rejected(Reason.UNAVAILABLE, retry=True, retry_after_ms=5_000), ref="o1"),
    RosterChanged(ROSTER, AT_MS, joined=(BOB,)),
    RosterChanged(NOBODY_PRESENTS, AT_MS, left=(EVE,), presenter_changed=True),
    RosterChanged(ROSTER, AT_MS, left=(EVE,), ejected=True),
    RosterChanged(ROSTER, AT_MS, roles_changed=True),
    RosterChanged(ROSTER, AT_MS),
    PresenterChanged(ROSTER, "host"),
    PresenterChanged(NOBODY_PRESENTS, "system"),
    PresenterAsked(BOB, ROSTER),
    PresenterDenied(BOB, ROSTER, ALICE),
    PresenterDenied(BOB, NOBODY_PRESENTS, None),
    AwarenessShown(
        (
            AwareUpdate(SocketId("a1"), ALICE, True, {"x": 382, "y": 62.5}, (NODE_ID,)),
            AwareUpdate(SocketId("a1"), ALICE, True, None, None, None),
            AwareUpdate(SocketId("b1"), BOB, False, viewport={"x": 0, "y": 0, "width": 8, "height": 6, "zoom": 1}),
        )
    ),
    AwarenessShown(()),
    VectorShown(42),
    ResyncAdvised(BOB, DIAGRAM_ID, THREAT_MODEL_ID),
    HeartbeatShown(EPOCH, 42, AFTER.state_hash, AT_MS),
    HeartbeatShown(EPOCH, 42, AFTER.state_hash, AT_MS, "h7"),
    TokenRefreshed(AT_MS),
    TokenRefreshed(AT_MS, "t1"),
    TokenExpiring(AT_MS),
    Done(),
    Done("r1"),
    *(Troubled(trouble, "why", AT_MS) for trouble in Trouble),
    Troubled(Trouble.PERMISSION_DENIED, "host only", AT_MS, OPERATION_ID, {"a": 1}, "r1"),
)


def wire(messages: Sequence[msgspec.Struct]) -> list[dict[str, Any]]:
    """As they arrive."""
    return [msgspec.json.decode(msgspec.json.encode(message)) for message in messages]
