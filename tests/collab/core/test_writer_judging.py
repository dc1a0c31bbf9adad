"""A batch that takes long to judge is judged by a call of its own: what may happen meanwhile, and what comes of it."""

from __future__ import annotations

from typing import Any

import msgspec

from collab.core.effects import CatchUp, Closed, Commit, JudgeBatch, Publish, ReadRights, ReadSession, Reload, Snapshot
from collab.core.events import (
    Asked,
    Barred,
    BatchJudged,
    Closing,
    Committed,
    Departure,
    Heard,
    Left,
    Missed,
    RightsMoved,
    SessionRead,
    Unavailable,
)
from collab.core.state import RoomSettings
from protocol.intents import Heartbeat, Redo, Undo
from protocol.notices import Accepted, Happened, HeartbeatShown, RosterChanged
from protocol.refusals import Ending
from protocol.values import Head, OperationId, SocketId
from tests.support.script import (
    EPOCH,
    FOUNDED,
    ITS_VERDICT,
    NOTHING_NEW,
    SESSION,
    After,
    Script,
    Together,
    add,
    change,
    dismissed,
    edit,
    head,
    logged,
    row,
    script,
    sent,
    some,
    told,
)

APART = RoomSettings(judged_apart_bytes=600)
"""More than three cells."""
ANA, BO = SocketId("ana"), SocketId("bo")
SHORT = edit("a2", change("n1", x=6))
LONG = edit("a1", *[add(f"n{number}") for number in range(6, 10)])
B1 = edit("b1", change("n2", x=5))
THEIRS = logged(FOUNDED, "di", "d1", change("n2", y=9))


def room(*guests: str) -> Script:
    return script(*guests, settings=APART)


def commit(*ids: str, base: int = 0) -> Any:
    rows = tuple(row(id, base + place) for place, id in enumerate(ids, 1))
    return some(Commit, base=some(Head, vector=base), operations=rows)


def judging(*guests: str) -> Script:
    return room(*guests) >> Asked(ANA, LONG) << JudgeBatch


def test_VEC4_what_was_judged_apart_is_committed_and_then_told() -> None:
    begun = judging("ana", "bo") >> ITS_VERDICT << commit("a1")
    assert begun >> Committed() << sent("ana", Accepted, vector=1) << told(Happened, "ana") << Publish


def test_a_short_batch_is_judged_at_once() -> None:
    assert room("ana") >> Asked(ANA, SHORT) << commit("a2")


def test_short_edits_that_are_long_together_are_judged_apart() -> None:
    edits = [Asked(ANA, edit(f"s{n}", change("n1", x=n))) for n in range(1, 5)]
    assert room("ana") >> Together(*edits) << JudgeBatch >> ITS_VERDICT << commit("s1", "s2", "s3", "s4")


def test_what_is_asked_while_a_batch_is_judged_waits_for_its_commit() -> None:
    begun = judging("ana", "bo") >> Asked(BO, B1) >> ITS_VERDICT << commit("a1")
    begun >> Committed() << some(object, notice=Accepted) << some(object, notice=Happened) << Publish
    assert begun << commit("b1", base=1)


def test_what_needs_no_verdict_is_answered_while_a_batch_is_judged() -> None:
    assert judging("ana", "bo") >> Asked(BO, Heartbeat("r")) << sent("bo", HeartbeatShown)


def test_I18_news_heard_while_a_batch_is_judged_waits_for_its_commit() -> None:
    assert judging("ana") >> Heard(EPOCH, (THEIRS,)) >> ITS_VERDICT << commit("a1")


def test_a_verdict_of_another_batch_is_passed_over() -> None:
    begun = judging("ana")
    judge = begun._judging
    assert judge is not None
    other = msgspec.structs.replace(judge.batch[0], ref="another")
    assert begun >> BatchJudged((other,), judge.judge.batch((other,))) >> ITS_VERDICT << commit("a1")


def test_I21_with_rights_that_may_have_gone_meanwhile_nothing_is_committed() -> None:
    begun = judging("ana") >> RightsMoved() << ReadSession >> ITS_VERDICT << ReadRights
    begun >> NOTHING_NEW << CatchUp >> NOTHING_NEW >> SessionRead(SESSION) << JudgeBatch
    assert begun >> ITS_VERDICT << commit("a1")


def test_AU15_with_rights_to_be_read_yet_nothing_is_committed_though_the_session_was_read() -> None:
    begun = judging("ana") >> RightsMoved() << ReadSession >> SessionRead(SESSION)
    assert begun >> ITS_VERDICT << ReadRights


def test_SES15_what_a_socket_asked_that_was_sent_away_meanwhile_is_not_committed() -> None:
    begun = room("ana", "bo") >> Together(Asked(BO, B1), Asked(ANA, LONG)) << JudgeBatch
    begun >> Barred(BO, Ending.SLOW) << dismissed("bo", Ending.SLOW) << told(RosterChanged)
    assert begun >> ITS_VERDICT << JudgeBatch >> ITS_VERDICT << commit("a1")


def test_I6_what_a_socket_asked_that_went_by_itself_is_committed() -> None:
    assert judging("ana", "bo") >> Left(ANA, Departure.LOST) >> ITS_VERDICT << commit("a1")


def test_VEC3_what_was_judged_on_a_history_that_has_ended_is_not_committed() -> None:
    assert judging("ana") >> Heard("e2", (THEIRS,)) >> ITS_VERDICT << Reload


def test_I29_a_judgement_that_failed_is_asked_for_again() -> None:
    begun = judging("ana") >> Unavailable() >> After(APART.retry_s)
    assert begun << JudgeBatch >> ITS_VERDICT << commit("a1")


def test_I6_what_was_asked_while_a_batch_was_judged_stays_behind_it_where_that_failed() -> None:
    begun = judging("ana", "bo") >> Asked(BO, B1) >> Unavailable() >> After(APART.retry_s)
    assert begun << JudgeBatch >> ITS_VERDICT << commit("a1", "b1")


def test_I29_a_room_closes_behind_what_is_being_judged() -> None:
    begun = judging("ana") >> Closing() >> ITS_VERDICT << commit("a1")
    begun >> Committed() << sent("ana", Accepted, vector=1) << told(Happened, "ana") << Publish
    assert begun << dismissed("ana", Ending.RESTART) << Snapshot << Closed


def test_VEC4_what_has_missed_so_often_that_the_store_holds_the_head_for_it_is_judged_at_once() -> None:
    begun = judging("ana")
    for attempt in (1, 2, 3):
        begun >> ITS_VERDICT << some(Commit, attempt=attempt) >> Missed(head(FOUNDED))
        if attempt < 3:
            begun << JudgeBatch
    assert begun << some(Commit, attempt=4)


# undo and redo --------------------------------------------------------------------------------------------------------


def done(edited: Any) -> Script:
    """By Ana, and told."""
    begun = room("ana", "bo") >> Asked(ANA, edited)
    if edited is LONG:
        begun << JudgeBatch >> ITS_VERDICT
    begun << Commit >> Committed() << sent("ana", Accepted) << told(Happened, "ana") << Publish
    return begun


def test_UN1_an_undo_of_much_is_judged_apart_and_its_redo_too() -> None:
    begun = done(LONG) >> Asked(ANA, Undo(OperationId("u1"))) << JudgeBatch >> ITS_VERDICT << commit("u1", base=1)
    begun >> Committed() << sent("ana", Accepted) << told(Happened, "ana") << Publish
    assert begun >> Asked(ANA, Redo(OperationId("r1"))) << JudgeBatch >> ITS_VERDICT << commit("r1", base=2)


def test_UN1_an_undo_of_little_is_judged_at_once() -> None:
    assert done(SHORT) >> Asked(ANA, Undo(OperationId("u1"))) << commit("u1", base=1)


def test_UN1_the_second_of_two_undos_may_be_what_is_long() -> None:
    begun = done(LONG) >> Asked(ANA, SHORT) << Commit
    begun >> Committed() << sent("ana", Accepted) << told(Happened, "ana") << Publish
    begun >> Together(Asked(ANA, Undo(OperationId("u1"))), Asked(ANA, Undo(OperationId("u2")))) << JudgeBatch
    assert begun >> ITS_VERDICT << commit("u1", "u2", base=2)
