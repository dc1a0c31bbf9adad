"""Cursors, selections, viewports: the newest of each connection."""

from __future__ import annotations

from collab.core.awareness import Awareness
from protocol.intents import Aware
from protocol.notices import AwareUpdate
from protocol.values import CellId, SocketId
from tests.support.script import user

ANA, BO = SocketId("ana"), SocketId("bo")


def shown(*pairs: tuple[SocketId, float], presenting: bool = False) -> Awareness:
    awareness = Awareness()
    for socket, x in pairs:
        awareness.note(socket, user(socket), presenting, Aware(cursor={"x": x, "y": 0}))
    return awareness


def test_PR9_the_newest_value_of_a_sender_wins() -> None:
    assert shown((ANA, 1), (ANA, 2)).flush() == (AwareUpdate(ANA, user("ana"), False, cursor={"x": 2, "y": 0}),)


def test_PR9_what_was_flushed_is_not_shown_again() -> None:
    awareness = shown((ANA, 1))
    awareness.flush()
    assert awareness.flush() == ()


def test_PR9_an_update_shows_only_what_changed_since_the_last_one() -> None:
    awareness = shown((ANA, 1))
    awareness.flush()
    awareness.note(ANA, user("ana"), False, Aware(selection=(CellId("n1"),)))
    assert awareness.flush() == (AwareUpdate(ANA, user("ana"), False, selection=(CellId("n1"),)),)


def test_a_newcomer_is_shown_everything_that_is_known() -> None:
    awareness = shown((ANA, 1), (BO, 2))
    awareness.note(ANA, user("ana"), False, Aware(selection=(CellId("n1"),)))
    awareness.flush()
    assert awareness.known() == (
        AwareUpdate(ANA, user("ana"), False, cursor={"x": 1, "y": 0}, selection=(CellId("n1"),)),
        AwareUpdate(BO, user("bo"), False, cursor={"x": 2, "y": 0}),
    )


def test_PR10_it_vanishes_with_its_connection() -> None:
    awareness = shown((ANA, 1))
    awareness.forget(ANA)
    assert awareness.known() == awareness.flush() == ()


def test_PR7_after_a_new_term_nothing_of_the_old_one_is_shown_as_the_presenters() -> None:
    awareness = shown((ANA, 1), presenting=True)
    assert awareness.new_term(staying={ANA})
    assert [update.presenting for update in (*awareness.known(), *awareness.flush())] == [False, False]


def test_PR7_who_may_show_nothing_without_presenting_has_it_taken_back() -> None:
    awareness = shown((ANA, 1), presenting=True)
    awareness.flush()
    awareness.new_term(staying=())
    assert awareness.known() == ()
    assert awareness.flush() == (AwareUpdate(ANA, user("ana"), False, cursor=None, selection=None),)


def test_a_new_term_in_which_nobody_showed_anything_says_nothing() -> None:
    assert not Awareness().new_term(staying=())
