"""What a socket is shown because it asks, and that nothing old is shown after a stall."""

from __future__ import annotations

from collab.core.apply import advance
from collab.core.effects import CatchUp, Commit, Publish, ReadRights, ReadSession
from collab.core.events import Asked, CaughtUp, Committed, Lagged, RightsRead, SessionRead, Stalled, Unavailable
from collab.core.ration import BURST, INTERVAL_S
from protocol.intents import AskState, AskVector, Heartbeat
from protocol.notices import Accepted, Corrected, Happened, HeartbeatShown, StateReason, StateShown, VectorShown
from protocol.values import Role, RoleAt, SocketId
from tests.support.script import (
    FOUNDED,
    SESSION,
    After,
    Guest,
    Script,
    caller,
    change,
    edit,
    head,
    logged,
    script,
    sent,
    told,
)

ANA = SocketId("ana")
THEIRS = logged(FOUNDED, "di", "d1", change("n2", y=9))


def test_a_state_is_shown_to_who_asks() -> None:
    begun = script("ana") >> Asked(ANA, AskState(ref="r"))
    assert begun << sent("ana", StateShown, diagram=FOUNDED, reason=StateReason.REQUESTED, ref="r")


def test_who_has_the_newest_state_is_told_so() -> None:
    assert script("ana") >> Asked(ANA, AskState(vector=0)) << sent("ana", VectorShown, vector=0)


def test_VEC15_a_heartbeat_shows_vector_and_hash() -> None:
    begun = script("ana") >> Asked(ANA, Heartbeat("h"))
    assert begun << sent("ana", HeartbeatShown, vector=0, state_hash=FOUNDED.state_hash, ref="h")


def stalled() -> Script:
    """Somebody asks after the process stood still; the rights have been read again."""
    begun = script("ana") >> Stalled() << ReadRights << ReadSession
    begun >> SessionRead(SESSION) >> Asked(ANA, AskVector()) >> Asked(ANA, AskState())
    return begun >> RightsRead(1, {caller("ana").bearer: RoleAt(Role.WRITER, 1)}) << CatchUp


def test_VEC7_after_a_stall_nothing_old_is_shown() -> None:
    begun = stalled() >> CaughtUp(head(THEIRS), (THEIRS,)) << told(Happened)
    begun << sent("ana", VectorShown, vector=1)
    assert begun << sent("ana", StateShown, diagram=advance(FOUNDED, THEIRS))


def test_while_the_store_is_away_what_is_known_is_shown() -> None:
    assert stalled() >> Unavailable() << sent("ana", VectorShown, vector=0) << sent("ana", StateShown)


def shown_again() -> Script:
    return script(Guest("ana", "tmi")) >> Asked(ANA, AskState()) << sent("ana", StateShown)


def edited(begun: Script, id: str, base_vector: int) -> Script:
    begun >> Asked(ANA, edit(id, change("n1", x=base_vector + 5), base_vector=base_vector)) << Commit
    return begun >> Committed() << sent("ana", Accepted)


def test_OP20_E4_who_edits_before_the_state_that_was_asked_for_has_come_is_put_right() -> None:
    """The state lacks the edit, and TMI's app passes over the event of its own that follows."""
    begun = edited(shown_again(), "a1", base_vector=0)
    assert begun << sent("ana", Corrected, cells=("n1",)) << told(Happened, "ana") << Publish


def test_OP20_E4_so_is_who_waits_long_for_that_state() -> None:
    begun = shown_again()
    for _ in range(BURST - 1):
        begun >> Asked(ANA, AskState()) << sent("ana", StateShown)
    begun = edited(begun, "a1", base_vector=0) << sent("ana", Corrected) << told(Happened, "ana") << Publish
    begun >> Asked(ANA, AskState())
    begun = edited(begun >> After(INTERVAL_S) << sent("ana", StateShown), "a2", base_vector=1)
    assert begun << sent("ana", Corrected, cells=("n1",)) << told(Happened, "ana") << Publish


def test_OP20_E4_so_is_who_is_shown_a_state_because_it_read_too_slowly() -> None:
    begun = script(Guest("ana", "tmi")) >> Lagged(ANA) << sent("ana", StateShown)
    begun = edited(begun, "a1", base_vector=0)
    assert begun << sent("ana", Corrected, cells=("n1",)) << told(Happened, "ana") << Publish


def test_OP20_whoever_shows_that_it_has_seen_that_state_is_not_put_right() -> None:
    begun = edited(shown_again(), "a1", base_vector=0) << sent("ana", Corrected) << told(Happened, "ana") << Publish
    assert edited(begun, "a2", base_vector=1) << told(Happened, "ana") << Publish
