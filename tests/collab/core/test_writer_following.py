"""The writing lane in the company of other workers: news, gaps, heads, damage, epochs; and its snapshots."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from collab.core.apply import advance
from collab.core.diagram import Diagram
from collab.core.effects import (
    CatchUp,
    Commit,
    Publish,
    ReadHistory,
    ReadRights,
    ReadSession,
    Reload,
    Snapshot,
    Survey,
)
from collab.core.events import (
    Asked,
    CaughtUp,
    Committed,
    HeadSeen,
    Heard,
    HistoryRead,
    Loaded,
    Missed,
    RightsMoved,
    RightsRead,
    SessionRead,
    Surveyed,
)
from collab.core.follow import HELD_OPERATIONS
from collab.core.state import RoomSettings
from collab.core.writer import SAVED_CELLS
from protocol.notices import (
    Accepted,
    CopyDoubtful,
    Corrected,
    Happened,
    RosterChanged,
    StateReason,
    StateShown,
)
from protocol.refusals import Ending
from protocol.values import Epoch, Head, Role, RoleAt, SocketId
from tests.support.script import (
    EPOCH,
    FOUNDED,
    NOTHING_NEW,
    SESSION,
    After,
    Guest,
    admitted,
    caller,
    change,
    edit,
    head,
    joined,
    logged,
    node,
    script,
    sent,
    session,
    some,
    told,
    user,
)

ANA, BO = SocketId("ana"), SocketId("bo")
A1, A2 = edit("a1", change("n1", x=5)), edit("a2", change("n1", x=6))
THEIRS = logged(FOUNDED, "di", "d1", change("n2", y=9))
THEIRS_2 = logged(advance(FOUNDED, THEIRS), "di", "d2", change("n2", y=8))
HAPPENED = some(object, notice=Happened)
ACCEPTED = some(object, notice=Accepted)


def rights(acl_version: int, **roles: RoleAt) -> RightsRead:
    return RightsRead(acl_version, {caller(name).bearer: role for name, role in roles.items()})


# following ------------------------------------------------------------------------------------------------------------


def test_news_is_told_in_its_order() -> None:
    begun = script("ana") >> Heard(EPOCH, (THEIRS_2,)) >> Heard(EPOCH, (THEIRS,))
    assert begun << told(Happened, operation=THEIRS) << told(Happened, operation=THEIRS_2)


def test_I4_news_that_is_heard_twice_is_told_once() -> None:
    begun = script("ana") >> Heard(EPOCH, (THEIRS,)) << HAPPENED >> Heard(EPOCH, (THEIRS,))
    assert begun >> Heard(EPOCH, (THEIRS, THEIRS_2)) << told(Happened, operation=THEIRS_2)


def test_news_of_the_very_vector_that_is_being_written_waits_for_the_outcome() -> None:
    begun = script("ana") >> Asked(ANA, A1) << Commit >> Heard(EPOCH, (THEIRS,))
    begun >> Missed(head(THEIRS), (THEIRS,)) << told(Happened, operation=THEIRS) << Commit
    begun >> Heard(EPOCH, (row_of(A1, 2),)) >> Committed() << ACCEPTED << HAPPENED
    assert begun << Publish


def row_of(intent: Any, vector: int) -> Any:
    return msgspec.structs.replace(logged(FOUNDED, "ana", intent.operation_id, *intent.changes), vector=vector)


def test_a_gap_that_does_not_close_in_50_ms_is_filled_from_the_log() -> None:
    begun = script("ana") >> Heard(EPOCH, (THEIRS_2,)) >> After(0.04)
    begun >> After(0.01) << CatchUp(head(FOUNDED))
    begun >> CaughtUp(head(THEIRS_2), (THEIRS, THEIRS_2)) << told(Happened, operation=THEIRS)
    assert begun << told(Happened, operation=THEIRS_2)


def test_a_gap_that_closes_in_time_needs_no_read() -> None:
    begun = script("ana") >> Heard(EPOCH, (THEIRS_2,)) >> After(0.04) >> Heard(EPOCH, (THEIRS,)) << HAPPENED << HAPPENED
    assert begun >> After(0.1)


def test_VEC13_news_beyond_what_can_be_held_is_read_from_the_log_at_once() -> None:
    above = tuple(msgspec.structs.replace(THEIRS, vector=vector) for vector in range(2, HELD_OPERATIONS + 3))
    assert script("ana") >> Heard(EPOCH, above) << CatchUp(head(FOUNDED))


def test_I18_VEC13_lost_news_is_read_from_the_log_at_once() -> None:
    assert script("ana") >> Heard(EPOCH, (), gap=True) << CatchUp << ReadSession


def test_I18_VEC13_a_head_above_ours_is_caught_up_with() -> None:
    begun = script("ana") >> HeadSeen(head(THEIRS)) << CatchUp(head(FOUNDED))
    assert begun >> CaughtUp(head(THEIRS), (THEIRS,)) << told(Happened, operation=THEIRS)


def test_a_head_that_is_ours_asks_for_nothing() -> None:
    assert script("ana") >> HeadSeen(head(FOUNDED), session_version=1)


def test_a_head_from_before_our_last_commit_asks_for_nothing() -> None:
    assert script("ana", diagram=advance(FOUNDED, THEIRS)) >> HeadSeen(head(FOUNDED))


def test_I25_a_head_with_another_permission_clock_makes_the_room_look() -> None:
    begun = script("ana") >> HeadSeen(head(FOUNDED, acl_version=2)) << CatchUp
    assert begun >> CaughtUp(head(FOUNDED, acl_version=2)) << ReadRights << ReadSession


def test_I13_news_that_gives_another_hash_is_told_to_nobody_the_diagram_is_loaded_anew() -> None:
    damaged = msgspec.structs.replace(THEIRS, state_hash=1)
    begun = script("ana") >> Heard(EPOCH, (damaged,)) << Reload
    begun >> Loaded(advance(FOUNDED, THEIRS), 1, (THEIRS,))
    begun << sent("ana", StateShown, reason=StateReason.HASH_MISMATCH, corrects=True)
    assert begun << ReadRights << ReadSession


def test_I13_a_head_at_our_vector_with_another_hash_is_loaded_anew() -> None:
    assert script("ana") >> HeadSeen(Head(EPOCH, 0, 1, 1)) << Reload
    begun = script("ana") >> Heard(EPOCH, (), gap=True) << CatchUp << ReadSession
    assert begun >> CaughtUp(Head(EPOCH, 0, 1, 1)) << Reload


def test_VEC6_I16_after_a_change_of_epoch_every_socket_is_shown_the_whole_diagram_first() -> None:
    other = Diagram.found(FOUNDED.id, Epoch("e2"), (node("z"),))
    begun = script("ana", "bo") >> HeadSeen(Head(Epoch("e2"), 0, other.state_hash, 1)) << Reload
    begun >> Asked(ANA, A1)
    begun >> Loaded(other, 1) << sent("ana", StateShown, diagram=other, reason=StateReason.EPOCH_CHANGED, corrects=True)
    begun << sent("bo", StateShown, diagram=other, reason=StateReason.EPOCH_CHANGED)
    assert begun << ReadRights << ReadSession


def test_VEC6_news_of_a_history_that_has_ended_is_told_to_nobody_after_it() -> None:
    other = advance(Diagram.found(FOUNDED.id, Epoch("e2"), (node("n1"), node("n2"))), THEIRS)
    begun = script("ana") >> Heard(EPOCH, (THEIRS_2,)) >> HeadSeen(Head(Epoch("e2"), 1, other.state_hash, 1)) << Reload
    begun >> Loaded(other, 1) << StateShown_ << ReadRights << ReadSession
    assert begun >> rights(1, ana=RoleAt(Role.WRITER, 1)) >> SessionRead(SESSION)


def test_VEC6_whoever_was_to_be_let_in_waits_for_a_read_of_the_new_history() -> None:
    other = Diagram.found(FOUNDED.id, Epoch("e2"), (node("z"),))
    of_other = Head(Epoch("e2"), 0, other.state_hash, 1)
    begun = script(others={}) >> joined("bo") << Survey << ReadHistory >> NOTHING_NEW << CatchUp >> NOTHING_NEW
    begun >> HeadSeen(of_other) << Reload >> Loaded(other, 1) << ReadRights << ReadSession >> SessionRead(SESSION)
    begun >> rights(1, bo=RoleAt(Role.WRITER, 1)) << ReadHistory >> HistoryRead(user("bo").id, ()) << CatchUp(of_other)
    begun >> Surveyed(SESSION.id, {}) >> CaughtUp(of_other)
    assert begun << admitted("bo") << sent("bo", RosterChanged) << told(RosterChanged, "bo")


def test_UN11_a_new_epoch_empties_the_stacks() -> None:
    other = Diagram.found(FOUNDED.id, Epoch("e2"), (node("n1"),))
    begun = script("ana") >> HeadSeen(Head(Epoch("e2"), 0, other.state_hash, 1)) << Reload >> Asked(ANA, A1)
    begun >> Loaded(other, 1) << StateShown_ << ReadRights << ReadSession
    begun >> rights(1, ana=RoleAt(Role.WRITER, 1))
    assert begun << ReadHistory(user("ana").id)


StateShown_ = some(object, notice=StateShown)


@pytest.mark.parametrize(("base_vector", "corrected"), [(0, True), (1, True), (2, False)])
def test_OP20_E6_a_base_vector_may_be_of_the_history_before(base_vector: int, corrected: bool) -> None:
    other = Diagram.found(FOUNDED.id, Epoch("e2"), (node("n1"),))
    begun = script(Guest("ana", "tmi")) >> Heard(EPOCH, (THEIRS,)) << HAPPENED
    begun >> HeadSeen(Head(Epoch("e2"), 0, other.state_hash, 1)) << Reload
    begun >> Loaded(other, 1) << StateShown_ << ReadRights << ReadSession
    begun >> rights(1, ana=RoleAt(Role.WRITER, 1)) >> SessionRead(SESSION)
    begun >> Asked(ANA, edit("a3", change("n1", x=7), base_vector=base_vector)) << ReadHistory
    begun >> HistoryRead(user("ana").id, ()) << Commit
    begun >> Committed() << sent("ana", Accepted)
    if corrected:
        begun << sent("ana", Corrected, cells=("n1",))
    assert begun << HAPPENED << Publish


def test_OP20_E6_a_classic_client_is_told_to_fetch_and_told_again_after_what_another_did_meanwhile() -> None:
    other = Diagram.found(FOUNDED.id, Epoch("e2"), (node("n1"),))
    begun = script("ana", Guest("cy", "classic")) >> HeadSeen(Head(Epoch("e2"), 0, other.state_hash, 1)) << Reload
    begun >> Loaded(other, 1) << StateShown_ << StateShown_ << ReadRights << ReadSession
    begun >> rights(1, ana=RoleAt(Role.WRITER, 1), cy=RoleAt(Role.WRITER, 1)) >> SessionRead(SESSION)
    begun >> Asked(ANA, edit("a3", change("n1", x=7))) << ReadHistory
    begun >> HistoryRead(user("ana").id, ()) << Commit >> Committed() << ACCEPTED << HAPPENED
    assert begun << sent("cy", CopyDoubtful) << Publish


def test_OP20_so_may_one_of_what_damaged_memory_showed() -> None:
    begun = script(Guest("ana", "tmi")) >> HeadSeen(Head(EPOCH, 0, 1, 1)) << Reload
    begun >> Loaded(FOUNDED, 1) << StateShown_ << ReadRights << ReadSession
    begun >> rights(1, ana=RoleAt(Role.WRITER, 1)) >> SessionRead(SESSION)
    begun >> Asked(ANA, edit("a3", change("n1", x=7), base_vector=0)) << ReadHistory
    begun >> HistoryRead(user("ana").id, ()) << Commit
    begun >> Committed() << sent("ana", Accepted) << sent("ana", Corrected, cells=("n1",))
    assert begun << HAPPENED << Publish


def test_OP20_to_a_tmi_client_an_unseen_change_of_the_cell_is_one_of_all_its_keys() -> None:
    begun = script(Guest("ana", "tmi")) >> Heard(EPOCH, (THEIRS,)) << HAPPENED
    begun >> Asked(ANA, edit("a3", change("n2", x=7), base_vector=0)) << Commit
    assert begun >> Committed() << ACCEPTED << sent("ana", Corrected, cells=("n2",)) << HAPPENED << Publish


def test_VEC6_news_of_another_epoch_is_no_news_but_a_reason_to_load() -> None:
    assert script("ana") >> Heard("e2", (THEIRS,)) << Reload
    assert script("ana") >> Heard("e2", ())


# snapshots ------------------------------------------------------------------------------------------------------------


def test_a_snapshot_is_asked_for_30_s_after_the_last_operation() -> None:
    begun = script("ana", settings=RoomSettings(heartbeat_s=1e6))
    begun >> Asked(ANA, A1) << Commit >> Committed() << ACCEPTED << HAPPENED << Publish >> After(29.0)
    begun >> Asked(ANA, A2) << Commit >> Committed() << ACCEPTED << HAPPENED << Publish >> After(29.0)
    assert begun >> After(1.0) << some(Snapshot, diagram=some(object, vector=2))


def test_a_snapshot_is_asked_for_after_so_many_operations() -> None:
    begun = script("ana", settings=RoomSettings(snapshot_operations=2))
    begun >> Asked(ANA, A1) << Commit >> Committed() << ACCEPTED << HAPPENED << Publish
    begun >> Asked(ANA, A2) << Commit >> Committed() << ACCEPTED << HAPPENED << Publish
    assert begun << some(Snapshot, diagram=some(object, vector=2))


def test_of_a_large_diagram_a_snapshot_waits_for_more_operations() -> None:
    """Else each of them would pay for writing ever more cells that it did not touch."""
    large = Diagram.found(FOUNDED.id, EPOCH, [node(f"n{number}") for number in range(3 * SAVED_CELLS)])
    begun = script("ana", diagram=large, settings=RoomSettings(snapshot_operations=2))
    begun >> Asked(ANA, A1) << Commit >> Committed() << ACCEPTED << HAPPENED << Publish
    begun >> Asked(ANA, A2) << Commit >> Committed() << ACCEPTED << HAPPENED << Publish
    begun >> Asked(ANA, edit("a3", change("n1", x=7))) << Commit >> Committed() << ACCEPTED << HAPPENED << Publish
    assert begun << some(Snapshot, diagram=some(object, vector=3))


def test_a_snapshot_holds_no_uncommitted_state() -> None:
    begun = script("ana", settings=RoomSettings(snapshot_s=5.0))
    begun >> Heard(EPOCH, (THEIRS,)) << HAPPENED >> Asked(ANA, A1) << Commit
    assert begun >> After(5.0) << some(Snapshot, diagram=some(object, vector=1))


def test_VEC13_a_head_that_our_own_commit_has_moved_asks_for_nothing() -> None:
    begun = script("ana") >> Asked(SocketId("ana"), edit("a1", change("n1", x=5)))
    begun << Commit
    mine = begun.room._writer._writing.judged.operations[0]  # type: ignore[union-attr]
    begun >> HeadSeen(head(mine)) >> Committed()
    assert begun << sent("ana", Accepted, vector=1) << told(Happened, "ana") << Publish


def test_I21_rights_of_a_newer_clock_make_the_session_doubtful_again() -> None:
    begun = script("ana") >> RightsMoved() << ReadRights << ReadSession >> SessionRead(SESSION)
    begun >> Asked(SocketId("ana"), edit("a1", change("n1", x=5)))
    begun >> RightsRead(2, {caller("ana").bearer: RoleAt(Role.WRITER, 2)}) << CatchUp << ReadSession
    begun >> CaughtUp(head(FOUNDED, acl_version=2))
    assert begun >> SessionRead(session(version=2, ended=Ending.IDLE)) << CatchUp
