"""The dialect `codraw.v1`: how each notice and ending looks to our own clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import msgspec
from msgspec import UNSET, UnsetType

from protocol import notices
from protocol.dialects import codraw_v1_messages as wire
from protocol.dialects.endings import CODES, RETURN, SENTENCES, Farewell
from protocol.dialects.parts import Point, Viewport, details, given, person, person_or_none, user_ref
from protocol.dialects.patches import CellEntry, as_asked, effective, oversized
from protocol.dialects.times import rfc3339
from protocol.notices import DiagramView, Notice, Side, StateReason
from protocol.operations import Kind
from protocol.refusals import CURRENT_BYTES, CURRENT_CELLS
from protocol.statehash import hex32
from protocol.values import Cell

OWN, RESTORE, INVERSIONS = Side.OWN, Kind.RESTORE, (Kind.UNDO, Kind.REDO)
"""To look a member of an enumeration up takes 0.1 µs."""


def render(notice: Notice, side: Side) -> Sequence[msgspec.Struct]:
    """Every side sees the same here, but for the depth of its own undo stack."""
    match notice:
        case notices.Happened():
            return (_happened(notice, side),)
        case notices.Accepted():
            return _accepted(notice)
        # A sender has its receipt, its other sockets the event.
        case notices.Corrected() | notices.CopyDoubtful():
            return ()
        case notices.AwarenessShown():
            return (_awareness(notice),) if notice.updates else ()
        case notices.Rejected():
            return (_rejected(notice),)
        case notices.HeartbeatShown():
            return (_heartbeat(notice),)
        case notices.Welcomed():
            return (_welcome(notice),)
        case notices.StateShown():
            return (_state(notice.diagram, notice.reason, notice.resend, given(notice.ref)),)
        case notices.Resumed():
            return (_resumed(notice),)
        case notices.Repaired():
            return (_repair(notice),)
        case notices.RosterChanged():
            return (_participants(notice),)
        case notices.PresenterChanged(roster, by):
            return (wire.Presenter("changed", person_or_none(roster.presenter), roster.presenter_term, by=by),)
        case notices.PresenterAsked(user, roster):
            return (wire.Presenter("requested", person_or_none(roster.presenter), roster.presenter_term, person(user)),)
        case notices.PresenterDenied():
            return (_denied(notice),)
        case notices.TokenRefreshed():
            return (wire.TokenRefreshed(rfc3339(notice.expires_at_ms), given(notice.ref)),)
        case notices.TokenExpiring():
            return (wire.TokenExpiring(rfc3339(notice.expires_at_ms)),)
        case notices.Done():
            return () if notice.ref is None else (wire.Done(notice.ref),)
        case notices.Troubled():
            return (_trouble(notice),)
        # The requests that these answer are read as others here (`inbound.SYNONYMS`).
        case notices.VectorShown() | notices.ResyncAdvised():
            return ()
        case _:
            assert_never(notice)


def farewell(ended: notices.Ended) -> Farewell:
    code, word = CODES[ended.ending], wire.GOODBYES.get(ended.ending)
    if word is None:
        return Farewell((), code, ended.ending.value)
    goodbye = wire.Goodbye(code, word, SENTENCES[ended.ending], RETURN[code], given(ended.retry_after_ms))
    return Farewell((goodbye,), code, word)


def _happened(notice: notices.Happened, side: Side) -> msgspec.Struct:
    operation = notice.operation
    moved = side is OWN or notice.shared_undo
    if operation.kind is RESTORE:
        return _state(notice.after, StateReason.EPOCH_CHANGED)
    event = wire.Event(
        epoch=notice.after.epoch,
        update_vector=operation.vector,
        operation_id=operation.operation_id,
        by=user_ref(operation.user),
        kind=operation.kind,
        operation=effective(operation.effect),
        at=rfc3339(operation.at_ms),
        undo_of=given(operation.undo_of),
        history=_history(notice.history) if moved and notice.history is not None else UNSET,
    )
    too_large = oversized(event, len(operation.effect.cells) + len(operation.effect.order or ()))
    return _state(notice.after, StateReason.TOO_LARGE) if too_large else event


def _accepted(notice: notices.Accepted) -> Sequence[msgspec.Struct]:
    cells = _told_cells(notice)
    receipt = wire.OperationAccepted(
        operation_id=notice.operation_id,
        epoch=notice.after.epoch,
        update_vector=notice.vector,
        changed=notice.changed,
        duplicate=notice.duplicate,
        kind=notice.kind,
        history=_history(notice.history),
        cells=cells,
        skipped=notice.skipped or UNSET,
        ref=given(notice.ref),
    )
    is_reordered = notice.operation is not None and notice.operation.effect.order is not None
    if cells is UNSET or not (is_reordered or oversized(receipt, len(cells))):
        return (receipt,)
    # E7 for the one who asked: the state holds the operation, its order too, so the receipt need not show it.
    return _state(notice.after, StateReason.TOO_LARGE), msgspec.structs.replace(receipt, cells=UNSET)


def _told_cells(notice: notices.Accepted) -> Sequence[CellEntry] | UnsetType:
    """The effective cells where they differ from what was asked; of an undo or redo always."""
    operation, inverts = notice.operation, notice.kind in INVERSIONS
    if operation is None:
        return () if inverts and not notice.duplicate else UNSET
    if not inverts and as_asked(notice.asked, operation.effect, notice.after):
        return UNSET
    return effective(operation.effect).cells


def _rejected(notice: notices.Rejected) -> wire.OperationRejected:
    refusal = notice.refusal
    shown = _fitting(notice.current_cells[:CURRENT_CELLS])
    return wire.OperationRejected(
        operation_id=notice.operation_id,
        reason=refusal.reason,
        message=refusal.message,
        update_vector=notice.vector,
        affected_cells=refusal.affected,
        current_cells=shown,
        # An affected cell without a body here is no more, unless some had no room.
        requires_resync=len(refusal.affected) > CURRENT_CELLS or len(shown) < len(notice.current_cells),
        retry=refusal.retry,
        details=refusal.details,
        retry_after_ms=given(refusal.retry_after_ms),
        ref=given(notice.ref),
    )


def _fitting(cells: Sequence[Cell]) -> Sequence[Cell]:
    """The first ones, as many as there is room for."""
    room = CURRENT_BYTES
    for n, cell in enumerate(cells):
        room -= len(msgspec.json.encode(cell))
        if room < 0:
            return cells[:n]
    return cells


def _welcome(notice: notices.Welcomed) -> wire.Welcome:
    diagram = notice.diagram
    return wire.Welcome(
        protocol="codraw.v1",
        encoding=notice.encoding,
        server=wire.Server(notice.server.name, notice.server.version),
        server_time=rfc3339(notice.at_ms),
        session=_session(notice.session),
        you=_you(notice),
        epoch=diagram.epoch,
        update_vector=diagram.vector,
        state_hash=hex32(diagram.state_hash),
        durability=notice.server.durability,
        limits=notice.limits,
        heartbeat_seconds=notice.server.heartbeat_s,
    )


def _session(view: notices.SessionView) -> wire.Session:
    return wire.Session(
        session_id=view.session_id,
        threat_model_id=view.threat_model_id,
        diagram_id=view.diagram_id,
        host=person(view.host),
        presenter=person_or_none(view.presenter),
        presenter_term=view.presenter_term,
    )


def _you(notice: notices.Welcomed) -> wire.You:
    return wire.You(
        user=person(notice.you),
        connection_id=notice.connection_id,
        role=notice.role.word,
        permissions=notice.role.permissions,
        is_host=notice.you.id == notice.session.host.id,
        token_expires_at=rfc3339(notice.token_expires_at_ms),
        history=_history(notice.history),
    )


def _state(diagram: DiagramView, reason: StateReason, resend: bool = True, ref: wire.Ref = UNSET) -> wire.State:
    cells = diagram.cells_in_order()
    return wire.State(diagram.epoch, diagram.vector, hex32(diagram.state_hash), reason, resend, cells, ref)


def _resumed(notice: notices.Resumed) -> wire.Resumed:
    return wire.Resumed(
        epoch=notice.epoch,
        since=notice.since,
        to=notice.to,
        count=notice.to - notice.since,
        state_hash=hex32(notice.state_hash),
        ref=given(notice.ref),
    )


def _repair(notice: notices.Repaired) -> wire.Repair:
    diagram = notice.diagram
    return wire.Repair(
        epoch=diagram.epoch,
        update_vector=diagram.vector,
        state_hash=hex32(diagram.state_hash),
        cells=[cell for id in notice.cells if (cell := diagram.cell(id)) is not None],
        removed=notice.removed,
        order=given(notice.order),
        ref=given(notice.ref),
    )


def _participants(notice: notices.RosterChanged) -> wire.Participants:
    roster = notice.roster
    return wire.Participants(
        participants=[_participant(one, roster) for one in roster.participants],
        host=person(roster.host),
        host_state=roster.host_state,
        presenter=person_or_none(roster.presenter),
        presenter_term=roster.presenter_term,
        joined=[user_ref(user) for user in notice.joined],
        left=[user_ref(user) for user in notice.left],
    )


def _participant(one: notices.Participant, roster: notices.RosterView) -> wire.Participant:
    return wire.Participant(
        user=person(one.user),
        role=one.role.word,
        permissions=one.role.permissions,
        is_host=one.user.id == roster.host.id,
        is_presenter=roster.presenter is not None and one.user.id == roster.presenter.id,
        connections=[wire.Connection(c.connection_id, c.dialect, rfc3339(c.joined_at_ms)) for c in one.connections],
    )


def _denied(notice: notices.PresenterDenied) -> wire.Presenter:
    roster = notice.roster
    by = "system" if notice.host is None else "host"
    return wire.Presenter("denied", person_or_none(roster.presenter), roster.presenter_term, person(notice.user), by)


def _awareness(notice: notices.AwarenessShown) -> wire.Awareness:
    return wire.Awareness([_awareness_update(update) for update in notice.updates])


def _awareness_update(update: notices.AwareUpdate) -> wire.AwarenessUpdate:
    cursor, viewport = update.cursor, update.viewport
    return wire.AwarenessUpdate(
        connection_id=update.connection_id,
        cursor=cursor if cursor is None or cursor is UNSET else Point(**cursor),
        selection=update.selection,
        viewport=viewport if viewport is None or viewport is UNSET else Viewport(**viewport),
    )


def _heartbeat(notice: notices.HeartbeatShown) -> wire.Heartbeat:
    state_hash, at = hex32(notice.state_hash), rfc3339(notice.at_ms)
    return wire.Heartbeat(notice.epoch, notice.vector, state_hash, at, given(notice.ref))


def _trouble(notice: notices.Troubled) -> wire.Error:
    return wire.Error(notice.trouble, notice.message, details(notice), given(notice.ref))


def _history(depth: notices.HistoryDepth) -> wire.History:
    return wire.History(depth.undo, depth.redo)
