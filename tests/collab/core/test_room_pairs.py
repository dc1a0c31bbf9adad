"""Every state of the two lanes meets every event: it is listed, or passed over; never an exception."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest

from collab.core.effects import CatchUp, ChangeSession, Commit, JudgeBatch, ReadHistory, ReadRights, ReadSession, Reload
from collab.core.events import (
    Asked,
    Barred,
    BatchJudged,
    BusSensed,
    CaughtUp,
    ChairOutcome,
    Claim,
    Claimed,
    Closing,
    Committed,
    Declined,
    Departure,
    Event,
    Gone,
    HeadSeen,
    Heard,
    HistoryRead,
    Known,
    Lagged,
    Left,
    Loaded,
    Missed,
    Pointed,
    PresenterUnseen,
    RightsMoved,
    RightsRead,
    RollCalled,
    Said,
    SessionChanged,
    SessionMoved,
    SessionRead,
    SessionStale,
    SessionUnchanged,
    Stalled,
    Stood,
    Submitted,
    Surveyed,
    TokenRenewed,
    Told,
    Unavailable,
    Unresolved,
    Wanted,
    Woke,
    WriterOutcome,
)
from collab.core.state import RoomSettings
from collab.core.verdicts import Judged, Ticket
from collab.core.writing import (
    OUTCOMES,
    CatchingUp,
    Committing,
    Idle,
    Judging,
    ReadingHistory,
    ReadingRights,
    Reloading,
    Writing,
)
from protocol.intents import Aware, GrantPresenter, UserName
from protocol.refusals import Ending
from protocol.values import Epoch, Head, Role, RoleAt, SocketId
from tests.support.script import (
    EPOCH,
    FOUNDED,
    SESSION,
    Guest,
    Script,
    add,
    caller,
    change,
    edit,
    head,
    joined,
    logged,
    script,
    session,
    user,
)

ANA = SocketId("ana")
THEIRS = logged(FOUNDED, "di", "d1", change("n2", y=9))
OTHER_EPOCH = Head(Epoch("e2"), 0, 0, 1)
GRANT = Asked(ANA, GrantPresenter(UserName("test", "bo")))


def room(apart: bool = False) -> Script:
    """`apart`: every batch is judged by a call of its own."""
    settings = RoomSettings(judged_apart_bytes=0) if apart else RoomSettings()
    return script("ana", "bo", Guest("cy", "classic", Role.READER), settings=settings)


STATES: dict[str, tuple[type[Writing], Callable[[], Script]]] = {
    "idle": (Idle, room),
    "judging": (Judging, lambda: room(apart=True) >> Asked(ANA, edit("a1", add("n9"))) << JudgeBatch),
    "committing": (Committing, lambda: room() >> Asked(ANA, edit("a1", add("n9"))) << Commit),
    "committing in doubt": (Committing, lambda: room() >> Asked(ANA, edit("a1", add("n9"))) << Commit >> Unresolved()),
    "catching up": (CatchingUp, lambda: room() >> joined(Guest("bo", socket="bo2")) << CatchUp),
    "reloading": (Reloading, lambda: room() >> HeadSeen(OTHER_EPOCH) << Reload),
    "reading history": (ReadingHistory, lambda: room() >> joined("di") << ReadHistory),
    "reading rights": (ReadingRights, lambda: room() >> RightsMoved() << ReadRights << ReadSession),
    "store away": (Idle, lambda: room() >> Asked(ANA, edit("a1", add("n9"))) << Commit >> Unavailable()),
    "reading session": (Idle, lambda: room() >> HeadSeen(head(FOUNDED), 9) << ReadSession),
    "deciding": (Idle, lambda: room() >> GRANT << ChangeSession),
    "over": (
        CatchingUp,
        lambda: room() >> GRANT << ChangeSession >> SessionChanged(session(version=2, ended=Ending.IDLE)) << CatchUp,
    ),
    "gone": (Idle, lambda: room() >> Asked(ANA, edit("a1", add("n9"))) << Commit >> Gone() << ReadSession),
    "closing": (Committing, lambda: room() >> Asked(ANA, edit("a1", add("n9"))) << Commit >> Closing()),
    "without session": (Idle, lambda: script(of=None)),
}

EVENTS: list[Event] = [
    joined("eve"),
    joined("eve", of=session(id="s2")),
    Left(ANA, Departure.CLEAN),
    Left(SocketId("nobody"), Departure.LOST),
    Asked(ANA, edit("a2", add("n8"))),
    Asked(ANA, Aware(cursor=None)),
    GRANT,
    Submitted(Ticket(1), caller("eve"), RoleAt(Role.WRITER, 1), edit("e1", add("n7"))),
    BatchJudged((), Judged((), (), ())),
    Committed(),
    Missed(head(FOUNDED), ()),
    Missed(head(THEIRS), (THEIRS,)),
    Missed(OTHER_EPOCH),
    Gone(),
    Known({}),
    Unresolved(),
    Unavailable(),
    CaughtUp(head(FOUNDED)),
    CaughtUp(head(THEIRS), (THEIRS,)),
    CaughtUp(OTHER_EPOCH),
    Loaded(FOUNDED, 1),
    HistoryRead(user("di").id, ()),
    RightsRead(1, {caller("bo").bearer: RoleAt(Role.NONE, 1)}),
    SessionRead(SESSION),
    SessionRead(None),
    SessionChanged(session(version=2)),
    SessionStale(session(version=2)),
    SessionStale(None),
    SessionUnchanged(),
    Heard(EPOCH, (THEIRS,)),
    Heard("e2", (THEIRS,)),
    HeadSeen(OTHER_EPOCH, 2),
    Said(SESSION.id, 1, (), "w2", 1),
    Said(SESSION.id, 2, (), "w2", 2),
    Stood(SESSION.id, "w2", 1),
    Surveyed(SESSION.id, {}),
    Surveyed(SESSION.id, None),
    Pointed(SESSION.id, 2, ()),
    Wanted(SESSION.id, user("di")),
    Declined(SESSION.id, user("bo"), by_host=True),
    RollCalled(SESSION.id),
    SessionMoved(SESSION.id, 3),
    Claimed(0, Claim.BEGUN),
    BusSensed(healthy=False),
    Stalled(),
    Lagged(ANA),
    Barred(ANA, Ending.SLOW),
    PresenterUnseen(user("bo").id),
    RightsMoved(),
    TokenRenewed(ANA, caller("ana")),
    Told(),
    Woke(),
    Closing(),
]
IN_FLIGHT = {"reading session": {SessionRead, SessionUnchanged}, "reading rights": {SessionRead, SessionUnchanged}}
IN_FLIGHT["gone"] = IN_FLIGHT["reading session"]
IN_FLIGHT["deciding"] = {SessionChanged, SessionStale, SessionUnchanged}


def listed(state: str, event: Event) -> bool:
    if isinstance(event, get_args(ChairOutcome)):
        return type(event) in IN_FLIGHT.get(state, ())
    return not isinstance(event, get_args(WriterOutcome)) or type(event) in OUTCOMES[STATES[state][0]]


def test_the_walk_leaves_out_no_event_and_no_state() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(Event))
    assert {lane for lane, _ in STATES.values()} == set(get_args(Writing))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("state", STATES)
def test_I29_an_event_is_listed_in_a_state_or_passed_over(state: str, event: Event) -> None:
    lane, reach = STATES[state]
    begun = reach()
    assert begun, state
    assert type(begun.room._writer._writing) is lane
    effects = begun.room.handle(event, begun.now)
    if not listed(state, event):
        assert effects == [], "an answer that nobody waits for"
