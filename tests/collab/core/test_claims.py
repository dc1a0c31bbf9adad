"""Whose commit comes next where two workers write: whoever hears in time of another's gives way, once."""

from __future__ import annotations

from collab.core.apply import advance
from collab.core.claims import CROWDED_S, LATELY_S, LISTEN_S, PATIENCE_S, PATIENT_ATTEMPTS
from collab.core.effects import Closed, Commit, Dismiss, Publish, ReadHistory, Snapshot, Speak
from collab.core.events import Asked, Claim, Claimed, Closing, Committed, Heard, Missed
from protocol.notices import Accepted, Happened
from protocol.values import SocketId
from tests.support.script import (
    EPOCH,
    FOUNDED,
    After,
    Script,
    change,
    edit,
    head,
    joined,
    logged,
    script,
    some,
)

ANA = SocketId("ana")
A1, A2, A3 = (edit(f"a{n}", change("n1", x=n)) for n in (1, 2, 3))
THEIRS = logged(FOUNDED, "di", "d1", change("n2", y=9))
AFTER_1 = advance(FOUNDED, THEIRS)
THEIRS_2 = logged(AFTER_1, "di", "d2", change("n2", y=8))
AFTER_2 = advance(AFTER_1, THEIRS_2)
BEGUN_1, BEGUN_2 = Claimed(1, Claim.BEGUN), Claimed(2, Claim.BEGUN)
HAPPENED = some(object, notice=Happened)
ACCEPTED = some(object, notice=Accepted)


def crowded() -> Script:
    """A room that has heard an operation of another worker right now."""
    begun: Script = script("ana", others={}) >> Heard(EPOCH, (THEIRS,)) << HAPPENED
    return begun


def busy() -> Script:
    """A moment later."""
    return crowded() >> After(CROWDED_S + 0.01)


def claim(vector: int, claim: Claim = Claim.BEGUN) -> Speak:
    return Speak(Claimed(vector, claim))


def waiting() -> Script:
    """It gives way to a commit on top of 1, and has said that it wants to commit as well."""
    return busy() >> BEGUN_1 >> Asked(ANA, A1) << claim(1, Claim.WAITING)


def listening() -> Script:
    return crowded() >> Asked(ANA, A1) << claim(1, Claim.LISTENING)


# who says so ----------------------------------------------------------------------------------------------------------


def test_whoever_commits_says_so_right_before() -> None:
    assert busy() >> Asked(ANA, A1) << claim(1) << some(Commit, base=head(AFTER_1))


def test_with_no_other_worker_nothing_is_said_and_nothing_waits() -> None:
    begun = script("ana") >> Heard(EPOCH, (THEIRS,)) << HAPPENED
    assert begun >> Asked(ANA, A1) << Commit


def test_while_the_others_write_nothing_nothing_is_said() -> None:
    assert script("ana", others={}) >> Asked(ANA, A1) << Commit


def test_some_time_after_the_last_operation_of_another_nothing_is_said() -> None:
    assert busy() >> After(LATELY_S + 0.1) >> Asked(ANA, A1) << Commit


# who waits ------------------------------------------------------------------------------------------------------------


def test_whoever_hears_that_another_commits_waits() -> None:
    assert waiting() >> After(PATIENCE_S / 2)


def test_what_arrives_meanwhile_goes_into_the_same_commit() -> None:
    begun = waiting() >> Asked(ANA, A2) >> Heard(EPOCH, (THEIRS_2,)) << HAPPENED << claim(2)
    assert begun << some(Commit, operations=(object, object))


def test_the_news_of_that_commit_is_the_end_of_waiting() -> None:
    begun = waiting() >> Heard(EPOCH, (THEIRS_2,)) << HAPPENED << claim(2)
    assert begun << some(Commit, base=head(AFTER_2))


def test_news_that_does_not_come_is_not_waited_for_long_and_nothing_is_said_twice() -> None:
    assert waiting() >> After(PATIENCE_S) << some(Commit, base=head(AFTER_1))


def test_a_claim_of_some_time_ago_holds_nobody_up() -> None:
    assert busy() >> BEGUN_1 >> After(PATIENCE_S) >> Asked(ANA, A1) << claim(1) << Commit


def test_a_claim_that_came_after_its_news_holds_nobody_up() -> None:
    assert busy() >> Claimed(0, Claim.BEGUN) >> Asked(ANA, A1) << claim(1) << Commit


def test_a_claim_that_is_heard_again_prolongs_nothing() -> None:
    begun = waiting() >> After(PATIENCE_S * 0.9) >> BEGUN_1
    assert begun >> After(PATIENCE_S * 0.1) << Commit


def test_nobody_waits_twice_in_a_row() -> None:
    begun = waiting() >> BEGUN_2 >> Heard(EPOCH, (THEIRS_2,)) << HAPPENED << claim(2)
    assert begun << Commit


def test_whoever_lost_a_race_waits_for_the_next_commit_of_the_other() -> None:
    begun = busy() >> Asked(ANA, A1) << claim(1) << Commit >> BEGUN_2
    begun >> Missed(head(THEIRS_2), (THEIRS_2,)) << HAPPENED << claim(2, Claim.WAITING)
    assert begun >> After(PATIENCE_S) << some(Commit, attempt=2)


def test_whoever_lost_several_races_does_not_wait() -> None:
    begun, diagram = busy() >> Asked(ANA, A1) << claim(1) << Commit, AFTER_1
    for attempt in range(1, PATIENT_ATTEMPTS + 1):
        other = logged(diagram, "di", f"e{attempt}", change("n2", y=attempt))
        diagram = advance(diagram, other)
        if attempt == PATIENT_ATTEMPTS:
            begun >> Claimed(diagram.vector, Claim.BEGUN)
        begun >> Missed(head(other), (other,)) << HAPPENED << claim(diagram.vector) << some(Commit, attempt=attempt + 1)
    assert begun


# who listens ----------------------------------------------------------------------------------------------------------


def test_right_after_another_s_operation_it_is_listened_before_it_is_begun() -> None:
    assert listening() >> After(LISTEN_S) << some(Commit, base=head(AFTER_1))


def test_right_after_one_s_own_commit_there_is_nothing_to_listen_for() -> None:
    begun = listening() >> After(LISTEN_S) << Commit >> Committed() << ACCEPTED << HAPPENED << Publish
    assert begun >> Asked(ANA, A2) << claim(2) << Commit


def test_whoever_hears_while_it_listens_that_another_has_begun_waits() -> None:
    begun = listening() >> BEGUN_1 >> After(LISTEN_S) >> Heard(EPOCH, (THEIRS_2,)) << HAPPENED << claim(2)
    assert begun << some(Commit, base=head(AFTER_2))


def test_what_was_heard_while_it_listened_is_not_waited_for_long() -> None:
    assert listening() >> BEGUN_1 >> After(PATIENCE_S) << some(Commit, base=head(AFTER_1))


def test_two_who_listen_do_not_wait_for_each_other() -> None:
    assert listening() >> Claimed(1, Claim.LISTENING) >> After(LISTEN_S) << Commit


def test_whoever_listens_is_given_way_to() -> None:
    begun = busy() >> Claimed(1, Claim.LISTENING) >> Asked(ANA, A1) << claim(1, Claim.WAITING)
    assert begun >> After(PATIENCE_S) << Commit


def test_whoever_waits_is_not_waited_for() -> None:
    assert busy() >> Claimed(1, Claim.WAITING) >> Asked(ANA, A1) << claim(1) << Commit


# whose the next is ----------------------------------------------------------------------------------------------------


def test_whoever_claims_what_is_being_committed_has_the_next() -> None:
    begun = busy() >> Asked(ANA, A1) << claim(1) << Commit >> Asked(ANA, A2) >> BEGUN_1
    begun >> Committed() << ACCEPTED << HAPPENED << Publish << claim(2, Claim.WAITING)
    assert begun >> After(PATIENCE_S) << Commit


def test_back_to_back_where_nobody_else_wants_it() -> None:
    begun = busy() >> Asked(ANA, A1) << claim(1) << Commit >> Asked(ANA, A2)
    begun >> Committed() << ACCEPTED << HAPPENED << Publish << claim(2)
    assert begun << Commit


def test_the_turn_of_the_other_is_one_commit_long() -> None:
    begun = busy() >> Asked(ANA, A1) << claim(1) << Commit >> BEGUN_1
    begun >> Committed() << ACCEPTED << HAPPENED << Publish >> After(PATIENCE_S)
    assert begun >> Asked(ANA, A2) << claim(2) << Commit


# beside it ------------------------------------------------------------------------------------------------------------


def test_I6_whoever_closes_commits_first_what_waits_for_its_turn() -> None:
    begun = waiting() >> Closing() >> After(PATIENCE_S) << Commit >> Committed() << ACCEPTED << HAPPENED << Publish
    assert begun << Dismiss << Snapshot << Closed()


def test_reads_do_not_wait() -> None:
    assert waiting() >> joined("bo") << ReadHistory
