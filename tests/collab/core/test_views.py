"""What a socket is shown because it asks, and that nothing old is shown after a stall."""

from __future__ import annotations

from collab.core.apply import advance
from collab.core.effects import CatchUp, ReadRights, ReadSession
from collab.core.events import Asked, CaughtUp, RightsRead, SessionRead, Stalled, Unavailable
from protocol.intents import AskState, AskVector, Heartbeat
from protocol.notices import Happened, HeartbeatShown, StateReason, StateShown, VectorShown
from protocol.values import Role, RoleAt, SocketId
from tests.support.script import FOUNDED, SESSION, Script, change, head, logged, script, sent, told, user

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
    return begun >> RightsRead(1, {user("ana").id: RoleAt(Role.WRITER, 1)}) << CatchUp


def test_VEC7_after_a_stall_nothing_old_is_shown() -> None:
    begun = stalled() >> CaughtUp(head(THEIRS), (THEIRS,)) << told(Happened)
    begun << sent("ana", VectorShown, vector=1)
    assert begun << sent("ana", StateShown, diagram=advance(FOUNDED, THEIRS))


def test_while_the_store_is_away_what_is_known_is_shown() -> None:
    assert stalled() >> Unavailable() << sent("ana", VectorShown, vector=0) << sent("ana", StateShown)
