from __future__ import annotations

from collab.core.verdicts import Judged, Ticket, Waiting
from protocol.intents import Undo
from protocol.operations import Kind, Outcome, Verdict
from protocol.values import Epoch, OperationId, SocketId
from tests.support.script import caller, user

U1 = OperationId("u1")


def waiting(source: SocketId | Ticket, by: str) -> Waiting:
    return Waiting(source, caller(by), Undo(U1), U1, arrived=1, seen=0, weight=200)


def test_VEC8_what_one_user_sends_twice_by_any_door_is_the_same() -> None:
    assert waiting(SocketId("s1"), "ana").key == waiting(Ticket(1), "ana").key != waiting(SocketId("s1"), "bo").key


def test_I6_what_has_an_outcome_is_to_be_written_down() -> None:
    outcome = Outcome(user("ana").id, U1, b"sha", Verdict.REFUSED, Epoch("e1"), 0, Kind.UNDO)
    assert Judged((), (), (outcome,)).binding
    assert not Judged((), (), ()).binding
