"""Named deadlines."""

from __future__ import annotations

from collab.core.deadlines import DOUBT, STATE, Deadlines
from protocol.values import Instant, SocketId


def at(seconds: float) -> Instant:
    return Instant(seconds, 0)


def test_the_next_instant_is_the_earliest() -> None:
    deadlines = Deadlines()
    deadlines.set("late", 9.0)
    deadlines.set("soon", 3.0)
    assert deadlines.next_s() == 3.0


def test_without_deadline_there_is_no_next_instant() -> None:
    assert Deadlines().next_s() is None


def test_what_is_due_comes_once_in_the_order_of_its_instants() -> None:
    deadlines = Deadlines()
    deadlines.set("second", 2.0)
    deadlines.set("first", 1.0)
    deadlines.set("later", 2.1)
    assert deadlines.due(at(2.0)) == ["first", "second"]
    assert deadlines.due(at(2.0)) == []
    assert "later" in deadlines


def test_a_name_has_one_deadline_the_last_that_was_set() -> None:
    deadlines = Deadlines()
    deadlines.set("gap", 1.0)
    deadlines.set("gap", 5.0)
    assert deadlines.due(at(4.0)) == []


def test_set_if_unset_leaves_an_earlier_one_alone() -> None:
    deadlines = Deadlines()
    deadlines.set_if_unset("gap", 1.0)
    deadlines.set_if_unset("gap", 5.0)
    assert deadlines.next_s() == 1.0


def test_a_dropped_one_never_comes() -> None:
    deadlines = Deadlines()
    deadlines.set("gap", 1.0)
    deadlines.drop("gap")
    deadlines.drop("gap")
    assert deadlines.due(at(9.0)) == []


def test_the_deadlines_of_one_socket_go_together() -> None:
    deadlines = Deadlines()
    for name in (STATE + "a", DOUBT + "a", STATE + "ab"):
        deadlines.set(name, 1.0)
    deadlines.drop_of(SocketId("a"))
    assert deadlines.due(at(1.0)) == [STATE + "ab"]
